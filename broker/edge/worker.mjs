// What is around the Go program at the edge: see the package's documentation.
import { DurableObject } from "cloudflare:workers";
import "./wasm_exec.js";
import program from "./edge.wasm";

// maxLag is how many bytes may wait for a stream's reader. One that lags more
// is closed, and resumes by its cursor.
const maxLag = 4 << 20;

// start runs a program. It is ready when this returns, or has ended.
async function start(context) {
  const go = new Go(), binding = {};
  let ready;
  const started = new Promise((resolve) => { ready = resolve; });
  const instance = new WebAssembly.Instance(program, { ...go.importObject, workers: { ready } });
  const ended = go.run(instance, { ...context, binding }).then(() => true, () => true);
  return (await Promise.race([started, ended])) ? { ended } : { binding, ended };
}

const problem = (status, body) => new Response(body, { status, headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", "Retry-After": "1" } });
const unavailable = (body) => problem(503, body ?? '{"type":"urn:yardline:problem:log_unavailable","status":503,"code":"log_unavailable","title":"The event log is not available"}\n');

// A Tenant is the object of one company. Its connections have names.
export class Tenant extends DurableObject {
  readers = new Map(); // by name: the controller of a stream, or a WebSocket
  views = new Map(); // by view: the names that have joined
  clients = new Map(); // by name: the other end of a WebSocket, until it is handed over

  program() {
    return (this.running ??= this.boot());
  }

  async boot() {
    for (const socket of this.ctx.getWebSockets()) this.readers.set(this.ctx.getTags(socket)[0], socket);
    const running = await start({ env: this.env, ctx: this.ctx, object: this });
    running.ended.then(() => this.end());
    return running;
  }

  // end is for when the program has: whoever reads is told to come back.
  end() {
    this.running = undefined;
    for (const [name, reader] of this.readers) {
      if (this.bye) this.send(name, reader instanceof WebSocket ? this.bye.socket : this.bye.stream);
      this.close(name, 4000, "retry");
    }
    this.views.clear();
  }

  async fetch(request) {
    const { binding, ended } = await this.program();
    if (!binding) return unavailable();
    const answer = await Promise.race([binding.handleRequest(request), ended.then(() => unavailable(this.bye?.answer))]);
    const name = answer.headers.get("Yardline-Socket");
    if (!name) return answer;
    const client = this.clients.get(name);
    this.clients.delete(name);
    return new Response(null, { status: 101, webSocket: client, headers: { "Sec-WebSocket-Protocol": answer.headers.get("Sec-WebSocket-Protocol") } });
  }

  async alarm() { (await this.program()).binding?.alarm(); }
  async webSocketMessage(socket, message) { (await this.program()).binding?.message(this.ctx.getTags(socket)[0], message); }
  async webSocketClose(socket) { await this.lost(this.ctx.getTags(socket)[0]); }
  async webSocketError(socket) { await this.lost(this.ctx.getTags(socket)[0]); }

  async lost(name) {
    this.close(name, 1000, "");
    if (this.running) (await this.running).binding?.gone(name);
  }

  // What follows is called by the program.

  prepare(stream, socket, answer) { this.bye = { stream, socket, answer }; }

  open(name) {
    return new ReadableStream(
      { start: (controller) => { this.readers.set(name, controller); }, cancel: () => this.lost(name) },
      { highWaterMark: 0, size: (chunk) => chunk.byteLength },
    );
  }

  accept(name, attachment) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server, [name]);
    this.readers.set(name, server);
    this.clients.set(name, client);
    this.attach(name, attachment);
  }

  attach(name, attachment) { this.readers.get(name)?.serializeAttachment(attachment); }
  sockets() { return this.ctx.getWebSockets().map((socket) => [this.ctx.getTags(socket)[0], socket.deserializeAttachment()]); }

  join(view, name) {
    if (!this.views.has(view)) this.views.set(view, new Set());
    this.views.get(view).add(name);
  }

  leave(view, name) {
    const names = this.views.get(view);
    if (names?.delete(name) && names.size === 0) this.views.delete(view);
  }

  // write gives one view's frames to all who have joined it. They are all
  // streams or all WebSockets, whose messages are text.
  write(view, frames) {
    let text;
    for (const name of this.views.get(view) ?? []) {
      const socket = this.readers.get(name) instanceof WebSocket;
      this.send(name, socket ? (text ??= new TextDecoder().decode(frames)) : frames);
    }
  }

  send(name, frames) {
    const reader = this.readers.get(name);
    try {
      if (reader instanceof WebSocket) {
        reader.send(typeof frames === "string" ? frames : new TextDecoder().decode(frames));
        return true;
      }
      reader?.enqueue(frames);
      if (reader && reader.desiredSize >= -maxLag) return true;
    } catch {} // it has gone
    if (reader) this.lost(name);
    return false;
  }

  close(name, code, reason) {
    const reader = this.readers.get(name);
    this.readers.delete(name);
    try {
      reader instanceof WebSocket ? reader.close(code, reason) : reader?.close();
    } catch {} // it has gone
  }
}

let front, keysAt = 0;

// ahead asks the program in front what is to become of a request.
async function ahead(request, env) {
  const { binding, ended } = await (front ??= start({ env }).then((running) => { running.ended.then(() => { front = undefined; }); return running; }));
  if (!binding) return { answer: unavailable() };
  if (env.JWT_JWKS && Date.now() - keysAt > 60_000) {
    keysAt = Date.now();
    try { binding.keys(await (await fetch(env.JWT_JWKS)).text()); } catch { keysAt -= 55_000; } // the old ones stay
  }
  return { binding, answer: await Promise.race([binding.handleRequest(request.clone()), ended.then(() => unavailable())]) };
}

// known are public answers of an origin, by path, for a few seconds.
const known = new Map();

async function toOrigin(request, env, binding, everybody) {
  const { pathname, search, origin } = new URL(request.url);
  const seen = everybody && known.get(pathname);
  if (seen && Date.now() - seen.at < 5_000) return seen.answer.clone();
  if (everybody && pathname.endsWith(".events")) return new Response(null, { status: 204 }); // nobody unknown holds a stream there
  const headers = new Headers(everybody ? {} : request.headers);
  if (headers.get("Origin") === origin) headers.delete("Origin"); // the front has looked at it
  headers.set("X-Forwarded-For", request.headers.get("CF-Connecting-IP") ?? "");
  let answer;
  try {
    answer = await fetch(env.ORIGIN.replace(/\/$/, "") + pathname + search, { method: request.method, headers, body: request.body, redirect: "manual", signal: request.signal });
    if (everybody && answer.ok) {
      answer = new Response(await answer.arrayBuffer(), answer);
      known.set(pathname, { at: Date.now(), answer: answer.clone() });
    }
  } catch {
    answer = problem(502, binding.unreachable);
  }
  return answer;
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (!/^\/(api|embed|healthz|readyz|metrics)(\/|$)/.test(pathname) || pathname === "/embed/v1/status.js") return env.ASSETS.fetch(request);
    const { binding, answer } = await ahead(request, env);
    const pass = answer.headers.get("Yardline-Pass");
    if (!pass) return answer;
    if (env.ORIGIN) return toOrigin(request, env, binding, pass === "-");
    const inner = new Request(request);
    inner.headers.delete("Yardline-Principal");
    if (pass !== "-") inner.headers.set("Yardline-Principal", pass);
    const response = await env.HUB.getByName(answer.headers.get("Yardline-Tenant")).fetch(inner);
    const cookies = answer.headers.getSetCookie();
    if (cookies.length === 0) return response;
    const outer = new Response(response.body, response);
    for (const cookie of cookies) outer.headers.append("Set-Cookie", cookie);
    return outer;
  },
};
