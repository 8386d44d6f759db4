// Service worker of the app. Version and ResourcesToCache are filled by app.Handler.
const version = "{{.Version}}";
const cachePrefix = "app-";
const cacheName = cachePrefix + version;
const resourcesToCache = {{.ResourcesToCache}};
const bypass = ["/api/", "/embed/"];
const shellURL = "/";
const navTimeout = 4000;

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(cacheName);
    const local = resourcesToCache.filter((u) => new URL(u, self.location.origin).origin === self.location.origin);
    await cache.addAll(local.map((u) => new Request(u, { cache: "no-cache", credentials: "same-origin" })));
    // No skipWaiting: the new worker waits until the user agrees (message "app:skip-waiting").
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const key of await caches.keys()) {
      if (key.startsWith(cachePrefix) && key !== cacheName) await caches.delete(key);
    }
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const request = event.request;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (bypass.some((p) => url.pathname === p.slice(0, -1) || url.pathname.startsWith(p))) return;
  if (request.headers.has("range")) return;
  if (request.mode === "navigate") {
    event.respondWith(navigation(request));
    return;
  }
  event.respondWith(fromCache(request));
});

async function fromCache(request) {
  const cache = await caches.open(cacheName); // only this version's cache, never another's
  return (await cache.match(request)) || fetch(request);
}

// Network first; the cached shell when the network fails, is too slow or a proxy answers 5xx.
async function navigation(request) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), navTimeout);
  try {
    const response = await fetch(request, { signal: abort.signal });
    if (response.status < 500) return response;
    return (await shell()) || response;
  } catch (err) {
    const cached = await shell();
    if (cached) return cached;
    throw err;
  } finally {
    clearTimeout(timer);
  }
}

async function shell() {
  return (await caches.open(cacheName)).match(shellURL);
}

self.addEventListener("message", (event) => {
  const msg = event.data;
  if (!msg) return;
  if (msg.type === "app:skip-waiting") event.waitUntil(self.skipWaiting());
});

// A push is shown unless somebody looks at the app, where its message is. A later
// one of the same subject takes the place of the earlier.
self.addEventListener("push", (event) => {
  event.waitUntil((async () => {
    let m;
    try { m = event.data.json(); } catch { return; }
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    if (open.some((c) => c.visibilityState === "visible" && c.focused)) return;
    if (m.severity === "error" && navigator.setAppBadge) navigator.setAppBadge().catch(() => {});
    await self.registration.showNotification(String(m.title), {
      body: String(m.body), tag: String(m.tag), icon: "/web/icon-192.png", badge: "/web/icon-192.png", data: { url: String(m.url) },
    });
  })());
});

// A click goes to the tab that is open, and opens one where there is none.
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL((event.notification.data && event.notification.data.url) || "/", self.location.origin);
  if (url.origin !== self.location.origin) return;
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: "window" });
    const client = open.find((c) => c.focused) || open.find((c) => c.visibilityState === "visible") || open[0];
    if (!client) return void (await self.clients.openWindow(url.href));
    await client.focus();
    client.postMessage({ type: "app:navigate", url: url.pathname + url.search });
  })());
});

// The browser has changed its subscription: the broker gets the new one.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil((async () => {
    const options = event.oldSubscription && event.oldSubscription.options;
    const fresh = event.newSubscription || (options && (await self.registration.pushManager.subscribe(options)));
    if (!fresh) return;
    const { endpoint, keys } = fresh.toJSON();
    await fetch("/api/push/subscriptions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ endpoint, keys }) });
  })());
});
