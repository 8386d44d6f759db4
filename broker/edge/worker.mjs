// What is around the Go program at the edge: see the package's documentation.
import { DurableObject } from "cloudflare:workers";
import "./wasm_exec.js";
import program from "./edge.wasm";

const maxLag = 4 << 20; // bytes that may wait for a stream's reader; one that lags more is closed, and resumes by its cursor

// start runs a program, and returns when it is ready or has ended.
async function start(context) {
  const go = new Go(), binding = {};
  let ready;
  const started = new Promise((resolve) => { ready = resolve; });
  const instance = new WebAssembly.Instance(program, { ...go.importObject, workers: { ready } });
  const ended = go.run(instance, { ...context, binding }).then(() => true, () => true);
  return (await Promise.race([started, ended])) ? { ended } : { binding, ended };
}

// problem is an answer in place of a program's.
const problem = (status, body) => new Response(body, { status, headers: { "Content-Type": "application/problem+json", "Retry-After": "1" } });
const ask = ({ binding, ended }, request, sorry) => binding ? Promise.race([binding.handleRequest(request), ended.then(() => problem(503, sorry))]) : problem(503, sorry);

// A Tenant is the object of one company. Its connections have names.
export class Tenant extends DurableObject {
  readers = new Map(); // by name: the controller of a stream, or a WebSocket
  views = new Map(); // by view: the names that have joined
  clients = new Map(); // by name: the other end of a WebSocket, until it is handed over

  program() { return (this.running ??= this.boot()); }
  async boot() {
    for (const socket of this.ctx.getWebSockets()) this.readers.set(this.ctx.getTags(socket)[0], socket);
    const running = await start({ env: this.env, ctx: this.ctx, object: Object.assign(this, { due: await this.ctx.storage.getAlarm() }) });
    running.ended.then(() => this.end());
    return running;
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
    const answer = await ask(await this.program(), request, this.bye?.answer);
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

  async lost(name) { this.close(name, 1000, ""), (await this.running)?.binding?.gone(name); }

  // What follows is called by the program.
  prepare(stream, socket, answer) { this.bye = { stream, socket, answer }; }
  open(name) {
    const source = { start: (controller) => { this.readers.set(name, controller); }, cancel: () => this.lost(name) };
    return new ReadableStream(source, { highWaterMark: 0, size: (chunk) => chunk.byteLength });
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
  join(view, name) { (this.views.get(view) ?? this.views.set(view, new Set()).get(view)).add(name); }
  leave(view, name) { if (this.views.get(view)?.delete(name) && !this.views.get(view).size) this.views.delete(view); }

  // write gives one view's frames to all who have joined it: streams, or WebSockets, whose messages are text.
  write(view, frames) {
    let text;
    for (const name of this.views.get(view) ?? []) this.send(name, this.readers.get(name) instanceof WebSocket ? (text ??= new TextDecoder().decode(frames)) : frames);
  }

  send(name, frames) {
    const reader = this.readers.get(name);
    try {
      if (reader instanceof WebSocket) return reader.send(typeof frames === "string" ? frames : new TextDecoder().decode(frames)), true;
      reader?.enqueue(frames);
      if (reader?.desiredSize >= -maxLag) return true;
    } catch {} // it has gone
    if (reader) this.lost(name);
    return false;
  }

  close(name, code, reason) {
    const reader = this.readers.get(name);
    this.readers.delete(name);
    try { reader instanceof WebSocket ? reader.close(code, reason) : reader?.close(); } catch {} // it has gone
  }
}

let front, keysAt = 0;
const known = new Map(); // an origin's public answers, by path: what a Response is made of, which is of one request alone

// origin passes a request on to the broker that this is a gate of. What everybody may have it asks for by itself, and
// keeps for some seconds: nobody unknown reaches the origin, nor holds a stream there.
async function origin(request, env, unreachable, everybody) {
  const url = new URL(request.url), seen = everybody && known.get(url.pathname);
  if (seen && Date.now() - seen.at < 5_000) return new Response(...seen.answer);
  if (everybody && url.pathname.endsWith(".events")) return new Response(null, { status: 204 });
  const headers = new Headers(everybody ? {} : request.headers);
  if (headers.get("Origin") === url.origin) headers.delete("Origin"); // the front has judged it
  headers.set("X-Forwarded-For", request.headers.get("CF-Connecting-IP") ?? "");
  try {
    const answer = await fetch(env.ORIGIN.replace(/\/$/, "") + url.pathname + url.search, { method: request.method, headers, body: request.body, redirect: "manual", signal: request.signal });
    if (!everybody || !answer.ok) return answer;
    known.set(url.pathname, { at: Date.now(), answer: [await answer.arrayBuffer(), { headers: [...answer.headers] }] });
    return new Response(...known.get(url.pathname).answer);
  } catch {
    return problem(502, unreachable);
  }
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (!/^\/(api|embed|healthz|readyz|metrics)(\/|$)/.test(pathname) || pathname === "/embed/v1/status.js") return env.ASSETS.fetch(request);
    const running = await (front ??= start({ env }));
    running.ended.then(() => { front = undefined; });
    if (env.JWT_JWKS && Date.now() - keysAt > 60_000) {
      keysAt = Date.now();
      await fetch(env.JWT_JWKS).then((answer) => answer.text()).then((keys) => running.binding?.keys(keys)).catch(() => { keysAt -= 55_000; }); // the old ones stay
    }
    const answer = await ask(running, request.clone()), pass = answer.headers.get("Yardline-Pass");
    if (!pass) return answer;
    if (env.ORIGIN) return origin(request, env, running.binding.unreachable, pass === "-");
    const inner = new Request(request);
    inner.headers.delete("Yardline-Principal");
    if (pass !== "-") inner.headers.set("Yardline-Principal", pass);
    const response = await env.HUB.getByName(answer.headers.get("Yardline-Tenant")).fetch(inner);
    if (!answer.headers.has("Set-Cookie")) return response;
    const outer = new Response(response.body, response);
    for (const cookie of answer.headers.getSetCookie()) outer.headers.append("Set-Cookie", cookie);
    return outer;
  },
};
