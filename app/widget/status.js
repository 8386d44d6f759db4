// <yardline-status> shows on any page whether a Yardline installation delivers live.
//
//   <script async src="https://yardline.example/embed/v1/status.js"></script>
//   <yardline-status src="https://yardline.example" theme="auto"></yardline-status>
//
// The element sends no cookie, needs no inline style or script, and writes nothing to the console. It reads
// status.json. While the user can see the element, it also reads a stream of changes.
(() => {
  if (!window.customElements || customElements.get("yardline-status")) return;

  // The origin of the installation unless the attribute src names another.
  const script = document.currentScript;
  const defaultOrigin = script && script.src ? new URL(script.src).origin : location.origin;

  // The mark and the words of each state.
  const labels = {
    connecting: ["◌", "Connecting…"],
    live: ["●", "Live"],
    limited: ["◐", "Server is busy"],
    reconnecting: ["◐", "Reconnecting"],
    offline: ["○", "You’re offline"],
    disconnected: ["✕", "Disconnected"],
  };

  const requestTimeout = 10000; // ms
  const firstRetry = 0.5; // seconds after the first failure
  const retries = [5, 10, 30, 60, 120]; // seconds after the second failure, the third, and so on
  const pollInterval = 30; // seconds between two requests while no stream works
  const firstEventTimeout = 10; // seconds: a stream without events after that is held back by a proxy
  const beatTimeout = 50; // seconds: the broker sends a beat every 15 s, so that three are missing
  const maxSilentStreams = 2; // streams without events in a row, after which the element polls instead

  const localNetworkHint = "This page may not reach servers in your local network. " +
    "If Yardline runs there, allow it in the settings of this site.";

  // localNetworkDenied reports whether the browser reports that it keeps this page from the local network.
  const localNetworkDenied = async () => {
    for (const name of ["local-network", "loopback-network", "local-network-access"]) {
      try {
        if ((await navigator.permissions.query({ name })).state === "denied") return true;
      } catch {} // this browser does not know the permission
    }
    return false;
  };

  const css = `
    :host { display: inline-block; color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
    :host([hidden]) { display: none; }
    span[data-status] {
      --green: #13703a; --amber: #8a5300; --grey: #5d666d;
      display: inline-flex; gap: .5em; align-items: center; padding: .25em .8em; border-radius: 99px;
      color: var(--yardline-ink, #1b2126); background: var(--yardline-paper, #fff);
      border: 1px solid var(--yardline-line, #d9dcd5);
    }
    i { font-style: normal; color: var(--grey); }
    [data-status=live] i { color: var(--yardline-live, var(--green)); }
    [data-status=limited] i, [data-status=reconnecting] i { color: var(--yardline-warn, var(--amber)); }
    .dark {
      --green: #5fd08a; --amber: #f5c451; --grey: #a4adb3;
      color: var(--yardline-ink, #eef1ec); background: var(--yardline-paper, #1b2126);
      border-color: var(--yardline-line, #323a41);
    }`;
  let sheet = null; // null in a browser without constructable style sheets
  try {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  } catch {
    sheet = null;
  }
  const darkScheme = matchMedia("(prefers-color-scheme: dark)");

  class Status extends HTMLElement {
    static observedAttributes = ["src", "theme"];

    connectedCallback() {
      if (!this.shadowRoot) this.build();
      this.applyTheme();
      this.onVisibility = () => this.update();
      this.observer = new IntersectionObserver((entries) => {
        this.inView = entries[entries.length - 1].isIntersecting;
        this.update();
      });
      this.observer.observe(this);
      document.addEventListener("visibilitychange", this.onVisibility);
      addEventListener("online", this.onVisibility);
      addEventListener("offline", this.onVisibility);
      this.onScheme = () => this.applyTheme();
      darkScheme.addEventListener("change", this.onScheme);
      this.start();
    }

    disconnectedCallback() {
      this.observer.disconnect();
      document.removeEventListener("visibilitychange", this.onVisibility);
      removeEventListener("online", this.onVisibility);
      removeEventListener("offline", this.onVisibility);
      darkScheme.removeEventListener("change", this.onScheme);
      this.stop();
    }

    attributeChangedCallback(name) {
      if (!this.isConnected || !this.box) return;
      if (name === "theme") return this.applyTheme();
      this.stop();
      this.start();
    }

    // build makes the elements inside of this one.
    build() {
      const root = this.attachShadow({ mode: "open" });
      if (sheet) root.adoptedStyleSheets = [sheet];
      this.box = document.createElement("span");
      this.box.part = "status";
      this.box.setAttribute("role", "status");
      this.mark = document.createElement("i");
      this.mark.setAttribute("aria-hidden", "true");
      this.words = document.createElement("span");
      this.box.append(this.mark, this.words);
      root.append(this.box);
      this.show("connecting");
    }

    applyTheme() {
      const theme = this.getAttribute("theme");
      this.box.className = theme === "dark" || (theme !== "light" && darkScheme.matches) ? "dark" : "light";
    }

    // canBeSeen reports whether the user can see the element.
    get canBeSeen() { return this.inView && document.visibilityState === "visible"; }

    address(file) { return new URL("/embed/v1/" + file, this.getAttribute("src") || defaultOrigin).href; }

    // update starts a request when the user can see the element, and stops everything when the user cannot.
    update() {
      if (!navigator.onLine) {
        this.stop();
        this.show("offline");
      } else if (!this.canBeSeen) {
        this.stop();
      } else if (!this.stream && !this.timer && !this.request) {
        this.requestStatus();
      }
    }

    start() {
      this.failures = 0; // failed attempts in a row
      this.silentStreams = 0; // streams without events in a row
      this.requestStatus();
    }

    // stop ends the timers, the stream and the request.
    stop() {
      clearTimeout(this.timer);
      clearTimeout(this.silence);
      this.timer = 0;
      if (this.stream) this.stream.close();
      this.stream = null;
      if (this.request) this.request.abort();
      this.request = null;
    }

    // requestStatus reads status.json and then opens the stream.
    async requestStatus() {
      const request = (this.request = new AbortController());
      const timeout = setTimeout(() => request.abort(), requestTimeout);
      try {
        const answer = await fetch(this.address("status.json"), {
          credentials: "omit",
          signal: request.signal,
          referrerPolicy: "no-referrer",
        });
        if (!answer.ok) throw 0;
        const status = await answer.json();
        if (this.request !== request) return;
        if (!this.accept(status)) throw 0; // a proxy has answered in the broker's place
        this.request = null;
        if (this.canBeSeen) this.silentStreams < maxSilentStreams ? this.openStream() : this.retryIn(pollInterval);
      } catch {
        if (this.request !== request) return;
        this.request = null;
        // The page may have wrapped fetch, but pages do not wrap streams.
        this.canBeSeen && this.silentStreams < maxSilentStreams ? this.openStream(true) : this.handleFailure();
      } finally {
        clearTimeout(timeout);
      }
    }

    // openStream opens the stream of changes. requestFailed reports whether the request before it has failed.
    openStream(requestFailed) {
      let hasEvents = false;
      try {
        const stream = (this.stream = new EventSource(this.address("status.events")));
        const end = () => {
          if (this.stream !== stream) return;
          this.stop();
          if (!hasEvents && !requestFailed) this.silentStreams++;
          this.handleFailure();
        };
        const endAfter = (seconds) => {
          clearTimeout(this.silence);
          this.silence = setTimeout(end, seconds * 1000);
        };
        stream.addEventListener("status", (e) => {
          try {
            if (!this.accept(JSON.parse(e.data))) return;
            hasEvents = true;
            this.silentStreams = 0;
            clearTimeout(this.silence);
          } catch {} // the data is no status
        });
        stream.addEventListener("beat", () => endAfter(beatTimeout));
        stream.onerror = end;
        endAfter(firstEventTimeout);
      } catch {
        if (requestFailed) return this.handleFailure();
        this.silentStreams = maxSilentStreams; // the content security policy of the page forbids the stream
        this.retryIn(pollInterval);
      }
    }

    // handleFailure shows the failure from the second one on, and plans the next request. Each wait is longer.
    handleFailure() {
      if (this.failures++) {
        this.show(navigator.onLine ? "reconnecting" : "offline");
        if (navigator.onLine) {
          localNetworkDenied().then((denied) => {
            if (denied && this.failures > 1) this.show("reconnecting", localNetworkHint, "local_network");
          });
        }
      }
      this.retryIn(this.failures === 1 ? firstRetry : retries[Math.min(this.failures - 2, retries.length - 1)]);
    }

    // retryIn plans a request in some seconds, a quarter more or less. If the user cannot see the element then, update
    // makes the request later; only the first retry does not wait for that.
    retryIn(seconds) {
      this.timer = setTimeout(() => {
        this.timer = 0;
        if (this.canBeSeen || this.failures === 1) this.requestStatus();
      }, seconds * (750 + 500 * Math.random()));
    }

    // accept shows a status. It returns false for any other value.
    accept(status) {
      if (!Object.hasOwn(labels, status.state)) return false;
      this.failures = 0;
      this.show(status.state, String(status.message || ""));
      return true;
    }

    // show shows a state. It fires the event yardline-status if the state or the reason is new.
    show(state, message = "", reason = "") {
      this.box.title = message;
      if (this.box.dataset.status === state && (!reason || this.reason === reason)) return;
      this.box.dataset.status = state;
      this.reason = reason;
      [this.mark.textContent, this.words.textContent] = labels[state];
      this.dispatchEvent(new CustomEvent("yardline-status", { detail: reason ? { state, reason } : { state } }));
    }
  }
  customElements.define("yardline-status", Status);
})();
