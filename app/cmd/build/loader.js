// This part comes before go-app's loader.

// The page has the user's theme from the first paint.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {}

// Some browsers throw when a page uses a blocked feature. This code makes such a feature look missing and such a
// storage look empty, because go-app reads localStorage when it starts.
const goappNoStorage = { length: 0, key: () => null, getItem: () => null, setItem() {}, removeItem() {}, clear() {} };
for (const [owner, names, value] of [
  [window, ["localStorage", "sessionStorage"], goappNoStorage],
  [window, ["indexedDB", "caches", "Notification", "PushManager", "BroadcastChannel"]],
  [navigator, ["serviceWorker", "locks", "clipboard", "storage", "userAgentData"]],
]) {
  for (const name of names) {
    try {
      if (owner[name] || !value) continue;
    } catch {}
    try { Object.defineProperty(owner, name, { value, configurable: true }); } catch {} // The program expects it, too.
  }
}
if (!window.matchMedia) window.matchMedia = () => ({ matches: false, addEventListener() {} });

// Some translators ignore translate="no", and put font elements in the place of text nodes. The program writes into the
// text nodes that it knows. So each text node is put back in its place before the program writes or removes it.
const goappTranslated = new WeakMap(); // the element in the place of a text node
const goappTranslations = new MutationObserver((records) => records.forEach(goappNoteTranslation));
goappTranslations.observe(document.documentElement, { childList: true, subtree: true });

function goappNoteTranslation({ addedNodes, removedNodes, previousSibling, nextSibling }) {
  const font = [...addedNodes, previousSibling, nextSibling].find((n) => n && n.nodeName === "FONT");
  if (font && removedNodes.length === 1 && removedNodes[0].nodeType === Node.TEXT_NODE) {
    goappTranslated.set(removedNodes[0], font);
  }
}

function goappPutBack(node) {
  if (!(node instanceof Text)) return;
  if (!node.parentNode) {
    goappTranslations.takeRecords().forEach(goappNoteTranslation);
    const font = goappTranslated.get(node);
    if (font && font.parentNode) font.replaceWith(node);
  }
  while (node.parentNode && node.parentNode.nodeName === "FONT") node.parentNode.replaceWith(node); // the app has none
}

const goappNodeValue = Object.getOwnPropertyDescriptor(Node.prototype, "nodeValue");
Object.defineProperty(Text.prototype, "nodeValue", {
  configurable: true,
  get: goappNodeValue.get,
  set(value) {
    goappPutBack(this);
    goappNodeValue.set.call(this, value);
  },
});
for (const name of ["removeChild", "replaceChild"]) {
  const plain = Node.prototype[name];
  Node.prototype[name] = function (...nodes) {
    goappPutBack(nodes[nodes.length - 1]); // the node that is taken out
    return plain.apply(this, nodes);
  };
}

//// The following part comes after go-app's loader.

// The page looks for a new version every hour and when the tab is shown. The program does so when the stream is back.
setInterval(() => goappTryUpdate(), 60 * 60 * 1000);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") goappTryUpdate();
});

let goappVersion; // the version that the page was loaded with

// goappCompareVersion finds a new version when there is no service worker. The script of the worker names the version.
async function goappCompareVersion() {
  try {
    const response = await fetch("/app-worker.js", { cache: "no-cache" });
    const [, version] = /^const version = "(.*)"/m.exec(await response.text()) || [];
    if (!response.ok || !version) return; // a proxy's answer
    goappVersion = goappVersion || version;
    if (version !== goappVersion) goappOnUpdate();
  } catch {} // Without a network this is no error.
}

// goappExited changes the page when the program has ended. The page shows that it has stopped, offers to reload, and
// sends no forms.
function goappExited() {
  document.addEventListener("submit", (event) => event.preventDefault(), true);
  for (const status of document.querySelectorAll("[data-status]")) {
    status.dataset.status = "ended";
    status.dataset.transport = "none";
    status.textContent = "✕ «stopped»";
  }
  for (const banner of document.querySelectorAll(".banners > div")) banner.replaceChildren();
  const note = document.createElement("div");
  note.className = "crashed";
  note.setAttribute("role", "alert");
  note.textContent = "«crashed» ";
  const reload = document.createElement("button");
  reload.className = "button";
  reload.textContent = "«reload»";
  reload.addEventListener("click", () => location.reload());
  note.append(reload);
  document.body.append(note);
}

// The browser handles a click on a link with Shift or Alt itself, by a new window or a download. go-app would open the
// link in this window.
addEventListener("click", (event) => {
  if ((event.shiftKey || event.altKey) && event.target.closest?.("a[href]")) event.stopImmediatePropagation();
}, true);
