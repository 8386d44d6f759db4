// Service worker of the app. Version and ResourcesToCache are filled by app.Handler.
const version = "{{.Version}}";
const cachePrefix = "app-";
const cacheName = cachePrefix + version;
const resourcesToCache = {{.ResourcesToCache}};
const bypass = ["/api/", "/embed/"];
const shellURL = "/";
const navTimeout = 4000; // ms that a navigation waits for the network
const cacheTimeout = 2000; // ms that a file waits for the cache
const askTimeout = 1000; // ms that the worker waits for a tab's answer to askTab
const emptyPush = "«push.empty»"; // the text of a push that cannot be read

self.addEventListener("install", (event) => {
  // No skipWaiting: the new worker waits until the user agrees (message "app:skip-waiting").
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    try {
      for (const key of await caches.keys()) {
        if (key.startsWith(cachePrefix) && key !== cacheName) await caches.delete(key);
      }
    } catch {} // A storage that fails holds no old files that must be deleted.
    try { await self.registration.navigationPreload.enable(); } catch {} // not in every browser
    await self.clients.claim();
    // The files of the old version may have filled the storage when this version was installed.
    if (!(await cached(shellURL))) await fill().catch(() => {});
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
    event.respondWith(navigation(event));
    return;
  }
  event.respondWith(fromCache(request));
});

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// fill puts the files of this version into its cache. fill fails when the network does not deliver a file, so that the
// browser installs the worker another time. fill does not fail when the storage is full or broken: files then come from
// the network.
async function fill() {
  const local = resourcesToCache.filter((u) => new URL(u, self.location.origin).origin === self.location.origin);
  const answers = await Promise.all(local.map(async (u) => {
    const response = await fetch(new Request(u, { cache: "no-cache", credentials: "same-origin" }));
    const page = (response.headers.get("content-type") || "").startsWith("text/html");
    if (!response.ok || response.redirected || page !== (u === shellURL)) { // a sign-in page, or a page of a proxy
      throw new Error(u + ": " + response.status);
    }
    return [u, response];
  }));
  try {
    const cache = await caches.open(cacheName);
    await Promise.all(answers.map(([u, response]) => cache.put(u, response)));
  } catch (err) {
    console.warn("the files of the app could not be kept: ", err);
    try { await caches.delete(cacheName); } catch {} // an incomplete cache is of no use
  }
}

// cached returns a response from this version's cache, never from another's. It returns undefined if there is none, or
// if the storage fails.
async function cached(request) {
  try {
    return await (await caches.open(cacheName)).match(request);
  } catch {}
}

// fromCache returns a response from the cache. If the cache has none, or is too slow, it asks the network.
async function fromCache(request) {
  const found = cached(request);
  return (await Promise.race([found, after(cacheTimeout)])) || fetch(request).catch(async (err) => {
    const late = await found;
    if (late) return late;
    throw err;
  });
}

// navigation asks the network first, and uses the cached shell when the network fails or is too slow, or when a proxy
// answers 5xx. It passes the browser's own request on unchanged, because gateways treat the requests of scripts
// differently.
async function navigation(event) {
  const network = Promise.resolve(event.preloadResponse).then((response) => response || fetch(event.request));
  network.catch(() => {}); // The network may fail after the shell was returned.
  try {
    const response = await Promise.race([network, after(navTimeout)]);
    if (response && response.status < 500) {
      event.waitUntil(refill(response));
      return response;
    }
    return (await cached(shellURL)) || (await network);
  } catch (err) {
    const shell = await cached(shellURL);
    if (shell) return shell;
    throw err;
  }
}

let refilled = false; // a worker refills its cache at most once

// refill fills a cache again that the browser has emptied.
async function refill(response) {
  if (refilled || !response.ok || (await cached(shellURL))) return;
  refilled = true;
  await fill().catch(() => {});
}

self.addEventListener("message", (event) => {
  const msg = event.data;
  if (!msg) return;
  if (msg.type === "app:skip-waiting") event.waitUntil(self.skipWaiting());
});

// The worker shows every push, because browsers withdraw the permission from a site that shows nothing. It shows a push
// without a sound while the user looks at the app, because the app shows the message, too. A later push replaces an
// earlier one of the same subject.
self.addEventListener("push", (event) => {
  event.waitUntil((async () => {
    let m;
    try { m = event.data.json(); } catch {}
    m = Object(m);
    const text = (value, fallback) => (typeof value === "string" && value !== "" ? value : fallback);
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const silent = open.some((c) => c.visibilityState === "visible" && c.focused);
    if (m.severity === "error" && !silent && navigator.setAppBadge) navigator.setAppBadge().catch(() => {});
    await self.registration.showNotification(text(m.title, "Yardline"), {
      body: text(m.body, emptyPush), tag: text(m.tag, "yardline"), silent,
      icon: "/web/icon-192.png", badge: "/web/icon-192.png", data: { url: text(m.url, "/") },
    });
  })());
});

// A click brings the tab with the page to the front. Without such a tab, the worker opens the page in a tab that holds
// no typed text. Without that either, or when the browser does not bring the tab to the front, it opens a new window.
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL((event.notification.data && event.notification.data.url) || "/", self.location.origin);
  if (url.origin !== self.location.origin) return;
  const path = url.pathname + url.search;
  event.waitUntil((async () => {
    const rank = (c) => (c.focused ? 0 : c.visibilityState === "visible" ? 1 : 2);
    const open = (await self.clients.matchAll({ type: "window" })).sort((a, b) => rank(a) - rank(b));
    const states = await Promise.all(open.map(askTab));
    let client = open.find((c, i) => states[i] && states[i].path === path);
    const isOnPage = Boolean(client);
    client = client || open.find((c, i) => states[i] && !states[i].busy);
    if (!client) return void (await self.clients.openWindow(url.href));
    try {
      await client.focus();
    } catch {
      // When the window does not open either, the tab opens the page without coming to the front.
      try { return void (await self.clients.openWindow(url.href)); } catch {}
    }
    if (!isOnPage) client.postMessage({ type: "app:navigate", url: path });
  })());
});

// askTab asks a tab for its address, and whether a form of it holds typed text. It returns undefined when the tab does
// not answer in time, because the tab is frozen or its program has ended.
function askTab(client) {
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((resolve) => { port1.onmessage = (e) => resolve(e.data); });
  client.postMessage({ type: "app:where" }, [port2]);
  return Promise.race([answer, after(askTimeout)]).finally(() => port1.close());
}

// When the browser has changed or dropped its subscription, the worker sends the new one to the broker in place of the
// old one.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil((async () => {
    let fresh = event.newSubscription;
    if (!fresh) {
      const answer = await fetch("/api/push/key");
      if (!answer.ok) return; // nobody is signed in
      const { key } = await answer.json();
      const old = await self.registration.pushManager.getSubscription();
      if (old) await old.unsubscribe(); // The old subscription may have another key.
      fresh = await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    }
    const { endpoint, keys } = fresh.toJSON();
    const id = await values("readonly", (store) => store.get("push-device"));
    const body = { endpoint, keys };
    if (id) body.replaces = new TextDecoder().decode(id);
    const answer = await fetch("/api/push/subscriptions", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!answer.ok) return;
    const device = new TextEncoder().encode((await answer.json()).id);
    await values("readwrite", (store) => store.put(device, "push-device"));
  })());
});

// values runs a request on the store of the app's database. It returns the result, or undefined when the storage fails.
function values(mode, makeRequest) {
  return new Promise((resolve) => {
    const opening = indexedDB.open("yardline", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("values");
    opening.onerror = opening.onblocked = () => resolve();
    opening.onsuccess = () => {
      const db = opening.result;
      try {
        const tx = db.transaction("values", mode);
        const request = makeRequest(tx.objectStore("values"));
        tx.oncomplete = () => resolve(request.result);
        tx.onabort = () => resolve();
      } catch {
        resolve();
      }
      db.close(); // once the transaction has ended
    };
  }).catch(() => {});
}
