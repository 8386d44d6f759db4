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

//go:embed mend.go
var loaderSource string

func asIs(b []byte) ([]byte, error) { return b, nil }

// A mending replaces text that occurs exactly once in go-app's loader: when a
// new version of it changes, the build fails here and not in a browser.
type mending struct{ old, new string }

var loaderMendings = []mending{
	// Tell the app of a new version while it waits, not when it has taken over.
	{"        case \"activated\":\n          goappOnUpdate();", "        case \"installed\":\n          goappOnUpdate();"},
	{"      goappSetupNotifyUpdate(registration);\n", "      goappSetupNotifyUpdate(registration);\n      if (registration.waiting && navigator.serviceWorker.controller) goappOnUpdate();\n"},
	// Offline, asking for an update is no error. Without a service worker the page compares versions by itself.
	{"  if (!goappServiceWorkerRegistration) {\n    return;\n  }\n  goappServiceWorkerRegistration.update();",
		"  if (!goappServiceWorkerRegistration) {\n    goappCompareVersion();\n    return;\n  }\n" +
			"  goappServiceWorkerRegistration.update().catch(() => {});"},
	{"goappInitServiceWorker();\n",
		"goappInitServiceWorker().then(() => {\n  if (!goappServiceWorkerRegistration) goappCompareVersion();\n});\n"},
	// A browser may name service workers and give none.
	{"  if (\"serviceWorker\" in navigator) {", "  if (navigator.serviceWorker) {"},
	// The user agrees to an update: the waiting worker takes over, then reload.
	{"function goappTryUpdate() {", `function goappApplyUpdate() {
  const registration = goappServiceWorkerRegistration;
  if (!registration || !registration.waiting) {
    location.reload();
    return;
  }
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration.waiting.postMessage({ type: "app:skip-waiting" });
}

function goappTryUpdate() {`},
	// What cannot be asked for is not offered, nor asked for twice.
	{" && (deferredPrompt != null || goappIsAppleBrowser())", " && deferredPrompt != null"},
	{"  deferredPrompt.prompt();\n  await deferredPrompt.userChoice;\n  deferredPrompt = null;\n", "  const prompt = deferredPrompt;\n  deferredPrompt = null;\n  if (prompt) await prompt.prompt();\n  goappOnAppInstallChange();\n"},
	// A missing wasm is said to be missing, not to be broken.
	{"  const response = await fetch(url);\n", "  const response = await fetch(url);\n  if (!response.ok) throw new Error(\"app.wasm: HTTP \" + response.status);\n"},
	// A program that ends leaves a dead page: say so and offer to reload.
	{"    go.run(wasm.instance);\n    loader.remove();\n", "    const exit = go.run(wasm.instance);\n    loader.remove();\n    exit.then(goappExited, goappExited);\n"},
}

//go:embed loader.js
var loaderAddition string

// loaderMiddle divides loader.js into the part before go-app's loader and the part after it.
const loaderMiddle = "//// After it.\n"

// withTexts replaces the keys by the app's texts.
func withTexts(script string, keys ...string) string {
	for _, key := range keys {
		script = strings.ReplaceAll(script, "«"+key+"»", text.Of(key))
	}
	return script
}

func mendLoader(b []byte) ([]byte, error) {
	s := string(b)
	for _, m := range loaderMendings {
		if n := strings.Count(s, m.old); n != 1 {
			return nil, fmt.Errorf("go-app has changed: %d times %q", n, m.old)
		}
		s = strings.Replace(s, m.old, m.new, 1)
	}
	before, after, found := strings.Cut(withTexts(loaderAddition, "stopped", "crashed", "reload"), loaderMiddle)
	if !found {
		return nil, fmt.Errorf("loader.js has no line %q", loaderMiddle)
	}
	return []byte(before + s + after), nil
}

// mendManifest adds what go-app leaves out: an id, so that the installed app
// stays the same when its start changes, and the purpose of each icon.
func mendManifest(b []byte) ([]byte, error) {
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

// mendShell makes the page the same for the same input (go-app writes
// attributes in the order of a map), drops what advertises another site, and
// refuses elements that the content security policy would block. It keeps translators from the page, and requests
// the manifest with the cookies that gateways want.
func mendShell(b []byte) ([]byte, error) {
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
		case n.Data == "html": // docs/app.md says why
			n.Attr = append(n.Attr, html.Attribute{Key: "translate", Val: "no"})
		case n.Data == "head":
			head = n
		case n.Data == "link" && attribute(n, "rel") == "manifest": // gateways want the cookies
			n.Attr = append(n.Attr, html.Attribute{Key: "crossorigin", Val: "use-credentials"})
		}
		slices.SortFunc(n.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
		if n.Data == "meta" && (strings.HasPrefix(attribute(n, "property"), "og:") || attribute(n, "name") == "author") {
			drop = append(drop, n)
		}
		if attribute(n, "id") == "app-wasm-loader-icon" {
			drop = append(drop, n) // replaced by an empty one below: the loader asks for it
			n.Parent.InsertBefore(&html.Node{Type: html.ElementNode, Data: "span", Attr: []html.Attribute{{Key: "id", Val: "app-wasm-loader-icon"}}}, n)
		}
		if err := checkPolicy(n); err != nil {
			return nil, err
		}
	}
	for _, n := range drop {
		n.Parent.RemoveChild(n)
	}
	head.AppendChild(&html.Node{Type: html.ElementNode, Data: "meta", Attr: []html.Attribute{
		{Key: "content", Val: "notranslate"}, {Key: "name", Val: "google"}}})
	var out bytes.Buffer
	err = html.Render(&out, page)
	return out.Bytes(), err
}

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
