//go:build !wasm

package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/snd-rental/yardline/app/text"
)

// patchSource is part of the app's version, because the patches change the files that browsers cache.
//
//go:embed patch.go
var patchSource string

func unchanged(b []byte) ([]byte, error) { return b, nil }

// A patch replaces text in go-app's loader. The text must occur exactly once, so that the build fails,
// and not the app in a browser, if a new version of go-app has another loader.
type patch struct{ old, new string }

var loaderPatches = []patch{
	// Tell the app of a new version while the new service worker waits, not when it has taken over.
	{
		`        case "activated":
          goappOnUpdate();`,
		`        case "installed":
          goappOnUpdate();`,
	},
	{
		`      goappSetupNotifyUpdate(registration);
`,
		`      goappSetupNotifyUpdate(registration);
      if (registration.waiting && navigator.serviceWorker.controller) goappOnUpdate();
`,
	},

	// Without a network, a failed check for an update is no error. Without a service worker, the page
	// compares versions itself.
	{
		`  if (!goappServiceWorkerRegistration) {
    return;
  }
  goappServiceWorkerRegistration.update();`,
		`  if (!goappServiceWorkerRegistration) {
    goappCompareVersion();
    return;
  }
  goappServiceWorkerRegistration.update().catch(() => {});`,
	},
	{
		`goappInitServiceWorker();
`,
		`goappInitServiceWorker().then(() => {
  if (!goappServiceWorkerRegistration) goappCompareVersion();
});
`,
	},

	// Some browsers have the property serviceWorker without a value.
	{
		`  if ("serviceWorker" in navigator) {`,
		`  if (navigator.serviceWorker) {`,
	},

	// After the user has agreed to an update, the waiting worker takes over, and the page reloads.
	{
		`function goappTryUpdate() {`,
		`function goappApplyUpdate() {
  const registration = goappServiceWorkerRegistration;
  if (!registration || !registration.waiting) {
    location.reload();
    return;
  }
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration.waiting.postMessage({ type: "app:skip-waiting" });
}

function goappTryUpdate() {`,
	},

	// The app offers its installation only if the browser can ask the user, and asks once.
	{
		` && (deferredPrompt != null || goappIsAppleBrowser())`,
		` && deferredPrompt != null`,
	},
	{
		`  deferredPrompt.prompt();
  await deferredPrompt.userChoice;
  deferredPrompt = null;
`,
		`  const prompt = deferredPrompt;
  deferredPrompt = null;
  if (prompt) await prompt.prompt();
  goappOnAppInstallChange();
`,
	},

	// The error for a missing wasm file says that it is missing, not that it is broken.
	{
		`  const response = await fetch(url);
`,
		`  const response = await fetch(url);
  if (!response.ok) throw new Error("app.wasm: HTTP " + response.status);
`,
	},

	// When the program has ended, the page is dead. Tell the user, and offer to reload.
	{
		`    go.run(wasm.instance);
    loader.remove();
`,
		`    const exit = go.run(wasm.instance);
    loader.remove();
    exit.then(goappExited, goappExited);
`,
	},
}

//go:embed loader.js
var loaderAddition string

// loaderSeparator divides loader.js into the part before go-app's loader and the part after it.
const loaderSeparator = "//// The following part comes after go-app's loader.\n"

// withTexts replaces «key» in a script by the app's text, for each of the keys.
func withTexts(script string, keys ...string) string {
	for _, key := range keys {
		script = strings.ReplaceAll(script, "«"+key+"»", text.Of(key))
	}
	return script
}

// patchLoader patches go-app's loader, and puts the two parts of loader.js around it.
func patchLoader(b []byte) ([]byte, error) {
	s := string(b)
	for _, p := range loaderPatches {
		if n := strings.Count(s, p.old); n != 1 {
			return nil, fmt.Errorf("go-app has changed: %d times %q", n, p.old)
		}
		s = strings.Replace(s, p.old, p.new, 1)
	}
	before, after, found := strings.Cut(withTexts(loaderAddition, "stopped", "crashed", "reload"), loaderSeparator)
	if !found {
		return nil, fmt.Errorf("loader.js has no line %q", loaderSeparator)
	}
	return []byte(before + s + after), nil
}

// patchManifest adds an id, so that the installed app stays the same if its start address changes, and
// the purpose of each icon.
func patchManifest(b []byte) ([]byte, error) {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	m["id"] = "/"
	icons, ok := m["icons"].([]any)
	if !ok {
		return nil, fmt.Errorf("no icons")
	}
	for _, i := range icons {
		if icon, ok := i.(map[string]any); ok && icon["purpose"] == "" {
			icon["purpose"] = "any"
		}
	}
	return json.MarshalIndent(m, "", "  ")
}

// patchShell changes go-app's page:
//
//   - It sorts attributes, so that the same input gives the same page; go-app writes them in the order
//     of a map.
//   - It removes elements that advertise another site.
//   - It keeps translators from the page; docs/app.md says why.
//   - It requests the manifest with cookies, because gateways refuse it without.
//
// It returns an error for elements that the content security policy would block.
func patchShell(b []byte) ([]byte, error) {
	page, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var drop []*html.Node
	var head *html.Node
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch {
		case n.Data == "html":
			n.Attr = append(n.Attr, html.Attribute{Key: "translate", Val: "no"})
		case n.Data == "head":
			head = n
		case n.Data == "link" && attribute(n, "rel") == "manifest":
			n.Attr = append(n.Attr, html.Attribute{Key: "crossorigin", Val: "use-credentials"})
		}
		slices.SortFunc(n.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
		isAd := strings.HasPrefix(attribute(n, "property"), "og:") || attribute(n, "name") == "author"
		if n.Data == "meta" && isAd {
			drop = append(drop, n)
		}
		if attribute(n, "id") == "app-wasm-loader-icon" {
			drop = append(drop, n)
			empty := element("span", html.Attribute{Key: "id", Val: "app-wasm-loader-icon"}) // the loader needs one
			n.Parent.InsertBefore(empty, n)
		}
		if err := checkPolicy(n); err != nil {
			return nil, err
		}
	}
	for _, n := range drop {
		n.Parent.RemoveChild(n)
	}
	head.AppendChild(element("meta",
		html.Attribute{Key: "content", Val: "notranslate"}, html.Attribute{Key: "name", Val: "google"}))
	var out bytes.Buffer
	err = html.Render(&out, page)
	return out.Bytes(), err
}

func element(name string, attributes ...html.Attribute) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: name, Attr: attributes}
}

// checkPolicy returns an error if the content security policy would block an element.
func checkPolicy(n *html.Node) error {
	if n.Data == "script" && attribute(n, "src") == "" || n.Data == "style" || n.Data == "base" {
		return fmt.Errorf("the content security policy blocks an inline %s", n.Data)
	}
	for _, a := range n.Attr {
		remote := (a.Key == "src" || a.Key == "href") && strings.Contains(a.Val, "//")
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") || remote {
			return fmt.Errorf("the content security policy blocks %s=%q", a.Key, a.Val)
		}
	}
	return nil
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
