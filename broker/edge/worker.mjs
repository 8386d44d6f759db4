// What is around the Go program at the edge: see the package's documentation.
import { DurableObject } from "cloudflare:workers";
import "./wasm_exec.js";
import program from "./edge.wasm";

// Bytes that may wait for a stream's reader, before it is closed and resumes by its cursor, and before a program that catches up pauses.
const maxLag = 4 << 20, enough = 256 << 10;
const retryAlarm = 30_000; // milliseconds from an alarm that failed to the next one

const problem = (status, code, title) => new Response(JSON.stringify({ type: "urn:yardline:problem:" + code, title, status, code, detail: "Try again in a moment: nothing was lost that was acknowledged.", retry_after: 1 }) + "\n",
  { status, headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", "Retry-After": "1" } });
const unavailable = () => problem(503, "log_unavailable", "The event log is not available");
// start runs a program. When it is ready, or has ended, this returns how to ask it; ended is called once.
async function start(context, ended) {
  const go = new Go(), binding = {}, waiting = new Set();
  let ready, running = true;
  const started = new Promise((resolve) => { ready = resolve; });
  const end = () => { running = false, ready(), ended(); for (const fail of waiting) fail(); };
  go.run(new WebAssembly.Instance(program, { ...go.importObject, workers: { ready } }), { ...context, binding }).then(end, end);
  await started;
  const ask = (request) => new Promise((resolve, reject) => {
    const fail = () => resolve(unavailable());
    if (!running) return fail();
    waiting.add(fail); // not by Promise.race, which would keep every answer
    binding.handleRequest(request).then(resolve, reject).finally(() => waiting.delete(fail));
  });
  return { ask, get binding() { return running && !go.exited ? binding : undefined; } };
}

// A Tenant is the object of one company. Its connections have names.
export class Tenant extends DurableObject {
  readers = new Map(); // by name: the controller of a stream, or a WebSocket
  views = new Map(); // by view: the names that have joined
  clients = new Map(); // by name: the other end of a WebSocket, until it is handed over
  program() { return (this.running ??= this.boot().catch((error) => { this.running = undefined; throw error; })); }
  async boot() {
    for (const socket of this.ctx.getWebSockets()) this.readers.set(this.ctx.getTags(socket)[0], socket);
    return start({ env: this.env, ctx: this.ctx, object: Object.assign(this, { due: await this.ctx.storage.getAlarm() }) }, () => this.end());
  }

  // end is for when the program has: who reads is told to come back.
  end() {
    this.running = undefined;
    for (const [name, reader] of this.readers) {
      if (this.bye) this.send(name, reader instanceof WebSocket ? this.bye.socket : this.bye.stream);
      this.close(name, 4000, "retry");
    }
    this.views.clear();
  }

  async fetch(request) {
    const running = await this.program(), id = request.headers.get("Yardline-Request");
    // Newer runtimes do not call the cancel function of a stream, so the program needs the request's signal.
    request.signal?.addEventListener("abort", () => running.binding?.abandoned(id));
    const answer = await running.ask(request), name = answer.headers.get("Yardline-Socket");
    const webSocket = this.clients.get(name);
    if (!name) return answer;
    this.clients.delete(name);
    return new Response(null, { status: 101, webSocket, headers: { "Sec-WebSocket-Protocol": answer.headers.get("Sec-WebSocket-Protocol") } });
  }

  // alarm calls the program, which does the work that is due and asks for the next alarm. When the program fails, alarm
  // asks for the next alarm itself, because the runtime repeats a failing alarm a few times only.
  async alarm() {
    try {
      const running = await this.program();
      running.binding.alarm();
      if (!running.binding) throw new Error("the program ended in its alarm");
    } catch (error) {
      await this.ctx.storage.setAlarm(Date.now() + retryAlarm);
      throw error;
    }
  }
  async webSocketMessage(socket, message) { (await this.program()).binding?.message(this.ctx.getTags(socket)[0], message); }
  async webSocketClose(socket) { await this.lost(this.ctx.getTags(socket)[0]); }
  async webSocketError(socket) { await this.lost(this.ctx.getTags(socket)[0]); }
  async lost(name) { this.close(name, 1000, ""), (await this.running)?.binding?.gone(name); }

  // What follows is called by the program.
  prepare(stream, socket) { this.bye = { stream, socket }; }
  open(name) {
    const source = {
      start: (controller) => { this.readers.set(name, controller); },
      pull: () => { this.running?.then((running) => running.binding?.drained(name)); },
      cancel: () => this.lost(name),
    };
    return new ReadableStream(source, { highWaterMark: 1, size: (chunk) => chunk.byteLength });
  }

  accept(name, attachment) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server, [name]);
    this.readers.set(name, server), this.clients.set(name, client), this.attach(name, attachment);
  }
  attach(name, attachment) { this.readers.get(name)?.serializeAttachment(attachment); }
  sockets() { return this.ctx.getWebSockets().map((socket) => [this.ctx.getTags(socket)[0], socket.deserializeAttachment()]); }
  join(view, name) { (this.views.get(view) ?? this.views.set(view, new Set()).get(view)).add(name); }
  leave(view, name) { if (this.views.get(view)?.delete(name) && !this.views.get(view).size) this.views.delete(view); }

  write(view, frames) { // to all who have joined: streams, or WebSockets, whose messages are text
    let text;
    for (const name of this.views.get(view) ?? []) this.send(name, this.readers.get(name) instanceof WebSocket ? (text ??= new TextDecoder().decode(frames)) : frames);
  }

  send(name, frames) { // 0: the reader has gone; 2: it has enough for now; else 1
    const reader = this.readers.get(name);
    try {
      if (reader instanceof WebSocket) return reader.send(typeof frames === "string" ? frames : new TextDecoder().decode(frames)), 1;
      reader?.enqueue(frames);
      if (reader?.desiredSize >= -maxLag) return reader.desiredSize < -enough ? 2 : 1;
    } catch {} // it has gone
    if (reader) this.lost(name);
    return 0;
  }

  close(name, code, reason) {
    const reader = this.readers.get(name);
    this.readers.delete(name);
    try { reader instanceof WebSocket ? reader.close(code, reason) : reader?.close(); } catch {} // it has gone
  }
}

let front;
const known = new Map(); // an origin's public answers, by path: what a Response is made of, which is of one request alone

// keysOf fetches the issuer's keys. It follows a redirect only to an https address or to the same origin.
async function keysOf(address) {
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

// ahead returns the program in front. It fetches the issuer's keys every JWT_REFRESH, and waits for them while the
// program has none.
async function ahead(env, context) {
  const running = await (front ??= start({ env }, () => { front = undefined; }).catch((error) => { front = undefined; throw error; }));
  if (env.JWT_JWKS && running.binding && !(Date.now() < running.fresh)) {
    running.fresh = Date.now() + running.binding.refresh;
    running.loading = keysOf(env.JWT_JWKS)
      .then((keys) => running.binding.keys(keys), (error) => running.binding?.keys("", String(error)))
      .catch(() => false)
      .then((read) => {
        running.keyed ||= read;
        const pause = Math.min(running.keyed ? 10_000 : 1_000, running.binding?.refresh ?? 0);
        if (!read) running.fresh = Date.now() + pause;
      });
    context.waitUntil(running.loading); // Otherwise the runtime cancels the fetch when the request is answered.
  }
  if (!running.keyed) await running.loading;
  return running;
}

// broker sends a request to the broker behind this gate. The broker never redirects, so a redirect comes from something
// in between, and the broker's clients do not get it.
async function broker(path, env, init) {
  const answer = await fetch(env.ORIGIN.replace(/\/$/, "") + path, { ...init, redirect: "manual" });
  const redirects = answer.status > 300 && answer.status < 400 && answer.status !== 304;
  return redirects ? problem(502, "origin_unreachable", "The broker's address leads elsewhere") : answer;
}

// publicly asks an origin for what everybody may have, and keeps it for some seconds: nobody unknown reaches the origin, nor holds a stream there.
async function publicly(path, env, context) {
  if (path.endsWith(".events")) return new Response(null, { status: 204 });
  if (!(Date.now() - known.get(path)?.at < 5_000)) {
    const answer = broker(path, env)
      .then(async (answer) => [await answer.arrayBuffer(), { status: answer.status, headers: [...answer.headers] }]);
    known.set(path, { at: Date.now(), answer });
    context.waitUntil(answer.catch(() => {})); // Other requests wait for this answer, too.
  }
  return new Response(...(await known.get(path).answer));
}

// origin passes a request on to the broker that this is a gate of.
async function origin(request, env) {
  const url = new URL(request.url), headers = new Headers(request.headers);
  if (headers.get("Origin") === url.origin) headers.delete("Origin"); // the front has judged it
  headers.set("X-Forwarded-For", request.headers.get("CF-Connecting-IP") ?? "");
  const { method, body, signal } = request;
  return broker(url.pathname + url.search, env, { method, headers, body, signal });
}

// warned adds the front's own warnings to an answer of /readyz.
async function warned(answer, warnings) {
  if (!warnings || !answer.ok) return answer;
  const ready = await answer.json(), headers = new Headers(answer.headers);
  headers.delete("Content-Length");
  const all = { ...ready, warnings: [...(ready.warnings ?? []), ...JSON.parse(warnings)] };
  return new Response(JSON.stringify(all) + "\n", { status: answer.status, headers });
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (!/^\/(api|embed|healthz|readyz|metrics)(\/|$)/.test(pathname) || pathname === "/embed/v1/status.js") return env.ASSETS.fetch(request);
    const answer = await (await ahead(env, context)).ask(request.clone()), pass = answer.headers.get("Yardline-Pass");
    if (!pass) return answer;
    const warnings = answer.headers.get("Yardline-Warnings");
    if (env.ORIGIN) {
      const given = pass === "-"
        ? publicly(pathname, env, context).then((answer) => warned(answer, warnings))
        : origin(request, env);
      return given.catch(() => problem(502, "origin_unreachable", "The broker cannot be reached"));
    }
    const inner = new Request(request);
    inner.headers.delete("Yardline-Principal");
    inner.headers.set("Yardline-Request", crypto.randomUUID());
    if (pass !== "-") inner.headers.set("Yardline-Principal", pass);
    const response = await env.HUB.getByName(answer.headers.get("Yardline-Tenant")).fetch(inner);
    if (!answer.headers.has("Set-Cookie")) return warned(response, warnings);
    const outer = new Response(response.body, response);
    for (const cookie of answer.headers.getSetCookie()) outer.headers.append("Set-Cookie", cookie);
    return outer;
  },
};
