// <yardline-status>: whether a Yardline installation delivers live, for any page.
//
//   <script async src="https://yardline.example/embed/v1/status.js"></script>
//   <yardline-status src="https://yardline.example" theme="auto"></yardline-status>
//
// It sends no cookie, needs no inline style or script, and says nothing on the
// console of its own. It reads status.json, and a stream while it can be seen.
(() => {
  if (!window.customElements || customElements.get("yardline-status")) return;
  const home = document.currentScript && document.currentScript.src ? new URL(document.currentScript.src).origin : location.origin;
  const words = {
    connecting: ["◌", "Connecting…"], live: ["●", "Live"], limited: ["◐", "Server is busy"], reconnecting: ["◐", "Reconnecting"],
    offline: ["○", "You’re offline"], disconnected: ["✕", "Disconnected"],
  };
  const retry = [5, 10, 30, 60, 120]; // seconds
  const local = "This page may not reach servers in your local network. " +
    "If Yardline runs there, allow it in the settings of this site.";
  // denied tells whether the browser reports that it keeps this page from the local network.
  const denied = async () => {
    for (const name of ["local-network", "loopback-network", "local-network-access"]) {
      try {
        if ((await navigator.permissions.query({ name })).state === "denied") return true;
      } catch {} // not known here
    }
    return false;
  };
  const css = `
    :host { display: inline-block; color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
    :host([hidden]) { display: none; }
    span[data-status] { --green: #13703a; --amber: #8a5300; --grey: #5d666d;
      display: inline-flex; gap: .5em; align-items: center; padding: .25em .8em; border-radius: 99px;
      color: var(--yardline-ink, #1b2126); background: var(--yardline-paper, #fff); border: 1px solid var(--yardline-line, #d9dcd5); }
    i { font-style: normal; color: var(--grey); }
    [data-status=live] i { color: var(--yardline-live, var(--green)); }
    [data-status=limited] i, [data-status=reconnecting] i { color: var(--yardline-warn, var(--amber)); }
    .dark { --green: #5fd08a; --amber: #f5c451; --grey: #a4adb3;
      color: var(--yardline-ink, #eef1ec); background: var(--yardline-paper, #1b2126); border-color: var(--yardline-line, #323a41); }`;
  let sheet;
  try { sheet = new CSSStyleSheet(); sheet.replaceSync(css); } catch { sheet = null; }
  const dark = matchMedia("(prefers-color-scheme: dark)");

  class Status extends HTMLElement {
    static observedAttributes = ["src", "theme"];

    connectedCallback() {
      if (!this.shadowRoot) {
        const root = this.attachShadow({ mode: "open" });
        if (sheet) root.adoptedStyleSheets = [sheet];
        this.box = document.createElement("span");
        this.box.part = "status";
        this.box.setAttribute("role", "status");
        this.glyph = document.createElement("i");
        this.glyph.setAttribute("aria-hidden", "true");
        this.text = document.createElement("span");
        this.box.append(this.glyph, this.text);
        root.append(this.box);
        this.show("connecting");
      }
      this.paint();
      this.look = () => this.turn();
      this.seen = new IntersectionObserver((all) => { this.inView = all[all.length - 1].isIntersecting; this.turn(); });
      this.seen.observe(this);
      document.addEventListener("visibilitychange", this.look);
      addEventListener("online", this.look);
      addEventListener("offline", this.look);
      dark.addEventListener("change", this.tint = () => this.paint());
      this.tries = this.deaf = 0; // tries that failed; streams that said nothing
      this.ask();
    }

    disconnectedCallback() {
      this.seen.disconnect();
      document.removeEventListener("visibilitychange", this.look);
      removeEventListener("online", this.look);
      removeEventListener("offline", this.look);
      dark.removeEventListener("change", this.tint);
      this.stop();
    }

    attributeChangedCallback(name) {
      if (!this.isConnected || !this.box) return;
      if (name === "theme") return this.paint();
      this.stop();
      this.tries = this.deaf = 0;
      this.ask();
    }

    paint() {
      const theme = this.getAttribute("theme");
      this.box.className = theme === "dark" || (theme !== "light" && dark.matches) ? "dark" : "light";
    }

    get visible() { return this.inView && document.visibilityState === "visible"; }

    address(file) { return new URL("/embed/v1/" + file, this.getAttribute("src") || home).href; }

    // turn opens the stream when it can be seen, and closes it when it cannot.
    turn() {
      if (!navigator.onLine) {
        this.stop();
        this.show("offline");
      } else if (!this.visible) {
        this.stop();
      } else if (!this.stream && !this.timer && !this.asking) {
        this.ask();
      }
    }

    stop() {
      clearTimeout(this.timer);
      clearTimeout(this.quiet);
      this.timer = 0;
      if (this.stream) this.stream.close();
      this.stream = null;
      if (this.asking) this.asking.abort();
      this.asking = null;
    }

    async ask() {
      const asking = (this.asking = new AbortController());
      const late = setTimeout(() => asking.abort(), 10000);
      try {
        const answer = await fetch(this.address("status.json"), { credentials: "omit", signal: asking.signal, referrerPolicy: "no-referrer" });
        if (!answer.ok) throw 0;
        const status = await answer.json();
        if (this.asking !== asking) return;
        if (!this.take(status)) throw 0; // a page of something between
        this.asking = null;
        if (this.visible) this.deaf < 2 ? this.follow() : this.later(30);
      } catch {
        if (this.asking !== asking) return;
        this.asking = null;
        // A host page may have wrapped fetch, but it does not wrap streams.
        this.visible && this.deaf < 2 ? this.follow(true) : this.lost();
      } finally {
        clearTimeout(late);
      }
    }

    // follow opens the stream. blind tells that the last request got no answer.
    follow(blind) {
      let heard = false;
      try {
        const stream = (this.stream = new EventSource(this.address("status.events")));
        const end = () => {
          if (this.stream !== stream) return;
          this.stop();
          if (!heard && !blind) this.deaf++;
          this.lost();
        };
        const wait = (seconds) => { clearTimeout(this.quiet); this.quiet = setTimeout(end, seconds * 1000); };
        stream.addEventListener("status", (e) => {
          try {
            if (!this.take(JSON.parse(e.data))) return;
            heard = true;
            this.deaf = 0;
            clearTimeout(this.quiet);
          } catch {} // no status
        });
        stream.addEventListener("beat", () => wait(50)); // three are missed then
        stream.onerror = end;
        wait(10); // else something holds it back
      } catch {
        if (blind) return this.lost();
        this.deaf = 2; // the page's policy forbids it: ask now and then
        this.later(30);
      }
    }

    // lost waits longer each time, and asks again; unseen, when it is seen.
    lost() {
      if (this.tries++) {
        this.show(navigator.onLine ? "reconnecting" : "offline");
        if (navigator.onLine) {
          denied().then((yes) => yes && this.tries > 1 && this.show("reconnecting", local, "local_network"));
        }
      }
      this.later(this.tries === 1 ? 0.5 : retry[Math.min(this.tries - 2, retry.length - 1)]);
    }

    later(seconds) {
      this.timer = setTimeout(() => { this.timer = 0; if (this.visible || this.tries === 1) this.ask(); }, seconds * (750 + 500 * Math.random()));
    }

    // take shows a status. It returns false for anything else.
    take(status) {
      if (!Object.hasOwn(words, status.state)) return false;
      this.tries = 0;
      this.show(status.state, String(status.message || ""));
      return true;
    }

    show(state, message = "", reason = "") {
      this.box.title = message;
      if (this.box.dataset.status === state && (!reason || this.reason === reason)) return;
      this.box.dataset.status = state;
      this.reason = reason;
      [this.glyph.textContent, this.text.textContent] = words[state];
      this.dispatchEvent(new CustomEvent("yardline-status", { detail: reason ? { state, reason } : { state } }));
    }
  }
  customElements.define("yardline-status", Status);
})();
