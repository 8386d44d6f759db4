// The JavaScript around the Go program at the edge. The documentation of the Go package describes each part.
import { DurableObject } from "cloudflare:workers";
import "./wasm_exec.js";
import program from "./edge.wasm";

// The most bytes that may wait for the reader of a stream. When there are more, the stream is closed, and its reader
// resumes by its cursor.
const maxWaiting = 4 << 20;
// When more bytes than these wait for a reader that catches up, the program pauses.
const pauseAbove = 256 << 10;
// The time from an alarm that failed to the next one, in milliseconds.
const alarmRetry = 30_000;

// problem returns an answer with a problem document.
function problem(status, code, title) {
  const document = {
    type: "urn:yardline:problem:" + code,
    title,
    status,
    code,
    detail: "Try again in a moment: nothing was lost that was acknowledged.",
    retry_after: 1,
  };
  const headers = { "Content-Type": "application/problem+json", "Cache-Control": "no-store", "Retry-After": "1" };
  return new Response(JSON.stringify(document) + "\n", { status, headers });
}

const unavailable = () => problem(503, "log_unavailable", "The event log is not available");

// startProgram starts a Go program, and returns when the program is ready or has ended. The program reads context, and
// puts the functions that it exports into binding. The result has:
//   - ask, which sends a request to the program;
//   - binding, which is undefined when the program has ended.
// startProgram calls onEnd once, when the program has ended.
async function startProgram(context, onEnd) {
  const go = new Go();
  const binding = {};
  const waiting = new Set(); // by request that has no answer yet: a function that answers it
  let ready;
  let running = true;
  const started = new Promise((resolve) => { ready = resolve; });
  const end = () => {
    running = false;
    ready();
    onEnd();
    for (const fail of waiting) fail();
  };
  const instance = new WebAssembly.Instance(program, { ...go.importObject, workers: { ready } });
  go.run(instance, { ...context, binding }).then(end, end);
  await started;
  const ask = (request) => new Promise((resolve, reject) => {
    const fail = () => resolve(unavailable());
    if (!running) return fail();
    waiting.add(fail); // Promise.race in place of this set would keep every answer.
    binding.handleRequest(request).then(resolve, reject).finally(() => waiting.delete(fail));
  });
  return { ask, get binding() { return running && !go.exited ? binding : undefined; } };
}

// Tenant is the object of one company. Each of its connections has a name, which the Go program chooses.
export class Tenant extends DurableObject {
  readers = new Map(); // by name: the controller of a stream, or a WebSocket
  views = new Map(); // by view: the set of the names that have joined
  clientEnds = new Map(); // by name: the client's end of a new WebSocket, until fetch returns it

  program() {
    this.running ??= this.boot().catch((error) => {
      this.running = undefined;
      throw error;
    });
    return this.running;
  }

  async boot() {
    for (const socket of this.ctx.getWebSockets()) this.readers.set(this.nameOf(socket), socket);
    const object = Object.assign(this, { due: await this.ctx.storage.getAlarm() });
    return startProgram({ env: this.env, ctx: this.ctx, object }, () => this.programEnded());
  }

  // nameOf returns the name of a WebSocket.
  nameOf(socket) {
    return this.ctx.getTags(socket)[0];
  }

  // programEnded tells all readers to reconnect.
  programEnded() {
    this.running = undefined;
    for (const [name, reader] of this.readers) {
      const isWebSocket = reader instanceof WebSocket;
      if (this.goodbye) this.send(name, isWebSocket ? this.goodbye.socket : this.goodbye.stream);
      this.close(name, 4000, "retry");
    }
    this.views.clear();
  }

  async fetch(request) {
    const running = await this.program();
    const id = request.headers.get("Yardline-Request");
    // Newer runtimes do not call the cancel function of a stream, so the program needs the request's signal.
    request.signal?.addEventListener("abort", () => running.binding?.requestAborted(id));
    const answer = await running.ask(request);
    const name = answer.headers.get("Yardline-Socket");
    const webSocket = this.clientEnds.get(name);
    if (!name) return answer;
    this.clientEnds.delete(name);
    const headers = { "Sec-WebSocket-Protocol": answer.headers.get("Sec-WebSocket-Protocol") };
    return new Response(null, { status: 101, webSocket, headers });
  }

  // alarm calls the program, which does the work that is due and asks for the next alarm. When the program fails, alarm
  // asks for the next alarm itself, because the runtime repeats a failing alarm a few times only.
  async alarm() {
    try {
      const running = await this.program();
      running.binding.alarm();
      if (!running.binding) throw new Error("the program ended in its alarm");
    } catch (error) {
      await this.ctx.storage.setAlarm(Date.now() + alarmRetry);
      throw error;
    }
  }

  async webSocketMessage(socket, message) {
    (await this.program()).binding?.message(this.nameOf(socket), message);
  }

  async webSocketClose(socket) {
    await this.readerGone(this.nameOf(socket));
  }

  async webSocketError(socket) {
    await this.readerGone(this.nameOf(socket));
  }

  // readerGone closes a connection whose reader has gone, and tells the program.
  async readerGone(name) {
    this.close(name, 1000, "");
    (await this.running)?.binding?.readerGone(name);
  }

  // The Go program calls the methods that follow.

  // prepareGoodbye keeps the frames that tell readers to reconnect when the program has ended.
  prepareGoodbye(stream, socket) {
    this.goodbye = { stream, socket };
  }

  openStream(name) {
    const source = {
      start: (controller) => { this.readers.set(name, controller); },
      pull: () => { this.running?.then((running) => running.binding?.streamDrained(name)); },
      cancel: () => this.readerGone(name),
    };
    return new ReadableStream(source, { highWaterMark: 1, size: (chunk) => chunk.byteLength });
  }

  // acceptWebSocket makes a WebSocket. Its attachment outlives the program.
  acceptWebSocket(name, attachment) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server, [name]);
    this.readers.set(name, server);
    this.clientEnds.set(name, client);
    this.setAttachment(name, attachment);
  }

  setAttachment(name, attachment) {
    this.readers.get(name)?.serializeAttachment(attachment);
  }

  // webSockets returns the name and the attachment of each open WebSocket.
  webSockets() {
    return this.ctx.getWebSockets().map((socket) => [this.nameOf(socket), socket.deserializeAttachment()]);
  }

  join(view, name) {
    if (!this.views.has(view)) this.views.set(view, new Set());
    this.views.get(view).add(name);
  }

  leave(view, name) {
    const names = this.views.get(view);
    if (names?.delete(name) && !names.size) this.views.delete(view);
  }

  // writeToView sends frames to all that have joined a view. It decodes them once, because messages of WebSockets are
  // text.
  writeToView(view, frames) {
    let text;
    for (const name of this.views.get(view) ?? []) {
      const isWebSocket = this.readers.get(name) instanceof WebSocket;
      this.send(name, isWebSocket ? (text ??= new TextDecoder().decode(frames)) : frames);
    }
  }

  // send sends frames to one reader. It returns 0 when the reader has gone, 2 when enough bytes wait for the reader for
  // now, and 1 otherwise.
  send(name, frames) {
    const reader = this.readers.get(name);
    try {
      if (reader instanceof WebSocket) {
        reader.send(typeof frames === "string" ? frames : new TextDecoder().decode(frames));
        return 1;
      }
      reader?.enqueue(frames);
      if (reader?.desiredSize >= -maxWaiting) return reader.desiredSize < -pauseAbove ? 2 : 1;
    } catch {} // The reader has gone.
    if (reader) this.readerGone(name);
    return 0;
  }

  // close ends a connection. The code and the reason are for a WebSocket.
  close(name, code, reason) {
    const reader = this.readers.get(name);
    this.readers.delete(name);
    try {
      reader instanceof WebSocket ? reader.close(code, reason) : reader?.close();
    } catch {} // The reader has gone.
  }
}

// The program of the front in this isolate. It is undefined until a request needs it.
let front;

// The public answers of the broker behind this gate, by path. Each has the parts of a Response, because a Response may
// be used for one request only.
const publicAnswers = new Map();
const publicAnswerAge = 5_000; // the time in milliseconds for which a public answer is used again

// fetchKeys fetches the issuer's keys. It follows a redirect only to an https address or to the same origin.
async function fetchKeys(address) {
  for (let url = new URL(address), hops = 0; hops < 5; hops++) {
    const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(10_000) });
    const next = answer.headers.get("Location");
    if (answer.ok) return answer.text();
    if (answer.status < 300 || answer.status > 399 || !next) {
      throw new Error("the answer has the status " + answer.status);
    }
    const from = url;
    url = new URL(next, from);
    if (url.protocol !== "https:" && url.origin !== from.origin) {
      throw new Error("it redirects to an address without https");
    }
  }
  throw new Error("it redirects in a circle");
}

// startFront returns the program of the front, and starts it if it does not run.
function startFront(env) {
  const forget = () => { front = undefined; };
  front ??= startProgram({ env }, forget).catch((error) => {
    forget();
    throw error;
  });
  return front;
}

// frontWithKeys returns the program of the front. It fetches the issuer's keys every JWT_REFRESH, and waits for them
// while the program has none.
async function frontWithKeys(env, context) {
  const running = await startFront(env);
  if (env.JWT_JWKS && running.binding && !(Date.now() < running.nextFetch)) {
    running.nextFetch = Date.now() + running.binding.refreshInterval;
    running.fetching = fetchKeys(env.JWT_JWKS)
      .then((keys) => running.binding.setKeys(keys), (error) => running.binding?.setKeys("", String(error)))
      .catch(() => false)
      .then((accepted) => {
        running.hasKeys ||= accepted;
        const pause = Math.min(running.hasKeys ? 10_000 : 1_000, running.binding?.refreshInterval ?? 0);
        if (!accepted) running.nextFetch = Date.now() + pause;
      });
    context.waitUntil(running.fetching); // Otherwise the runtime cancels the fetch when the request is answered.
  }
  if (!running.hasKeys) await running.fetching;
  return running;
}

// askBroker sends a request to the broker behind this gate. The broker never redirects, so a redirect comes from
// something in between, and the broker's clients do not get it.
async function askBroker(path, env, init) {
  const answer = await fetch(env.ORIGIN.replace(/\/$/, "") + path, { ...init, redirect: "manual" });
  const redirects = answer.status > 300 && answer.status < 400 && answer.status !== 304;
  return redirects ? problem(502, "origin_unreachable", "The broker's address leads elsewhere") : answer;
}

// publicAnswer returns an answer of the broker behind this gate that needs no sign-in. It uses an answer again for
// some seconds, so that clients without a credential cannot load the broker. For a path of events it answers 204,
// which ends an EventSource, so that such clients hold no stream at the broker.
async function publicAnswer(path, env, context) {
  if (path.endsWith(".events")) return new Response(null, { status: 204 });
  if (!(Date.now() - publicAnswers.get(path)?.at < publicAnswerAge)) {
    const parts = askBroker(path, env).then(async (answer) => {
      return [await answer.arrayBuffer(), { status: answer.status, headers: [...answer.headers] }];
    });
    publicAnswers.set(path, { at: Date.now(), parts });
    context.waitUntil(parts.catch(() => {})); // Other requests wait for this answer, too.
  }
  return new Response(...(await publicAnswers.get(path).parts));
}

// forward passes a request on to the broker behind this gate.
async function forward(request, env) {
  const url = new URL(request.url);
  const headers = new Headers(request.headers);
  if (headers.get("Origin") === url.origin) headers.delete("Origin"); // The front has checked the origin.
  headers.set("X-Forwarded-For", request.headers.get("CF-Connecting-IP") ?? "");
  const { method, body, signal } = request;
  return askBroker(url.pathname + url.search, env, { method, headers, body, signal });
}

// withWarnings adds the front's own warnings to an answer of /readyz.
async function withWarnings(answer, warnings) {
  if (!warnings || !answer.ok) return answer;
  const ready = await answer.json();
  const headers = new Headers(answer.headers);
  headers.delete("Content-Length");
  const all = { ...ready, warnings: [...(ready.warnings ?? []), ...JSON.parse(warnings)] };
  return new Response(JSON.stringify(all) + "\n", { status: answer.status, headers });
}

// askTenant sends a request to the object of its tenant. accepted is the answer of the front, which has accepted it.
async function askTenant(request, env, accepted) {
  const identity = accepted.headers.get("Yardline-Pass");
  const inner = new Request(request);
  inner.headers.delete("Yardline-Principal");
  inner.headers.set("Yardline-Request", crypto.randomUUID());
  if (identity !== "-") inner.headers.set("Yardline-Principal", identity);
  const answer = await env.HUB.getByName(accepted.headers.get("Yardline-Tenant")).fetch(inner);
  if (!accepted.headers.has("Set-Cookie")) return withWarnings(answer, accepted.headers.get("Yardline-Warnings"));
  const outer = new Response(answer.body, answer);
  for (const cookie of accepted.headers.getSetCookie()) outer.headers.append("Set-Cookie", cookie);
  return outer;
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    const isAPI = /^\/(api|embed|healthz|readyz|metrics)(\/|$)/.test(pathname);
    if (!isAPI || pathname === "/embed/v1/status.js") return env.ASSETS.fetch(request);
    const answer = await (await frontWithKeys(env, context)).ask(request.clone());
    const pass = answer.headers.get("Yardline-Pass");
    if (!pass) return answer;
    if (!env.ORIGIN) return askTenant(request, env, answer);
    const warnings = answer.headers.get("Yardline-Warnings");
    const brokersAnswer = pass === "-"
      ? publicAnswer(pathname, env, context).then((answer) => withWarnings(answer, warnings))
      : forward(request, env);
    return brokersAnswer.catch(() => problem(502, "origin_unreachable", "The broker cannot be reached"));
  },
};
