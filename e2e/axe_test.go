package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/event"
)

// barriers runs axe in a page, and lists what it finds.
const barriers = `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? n.all[0]?.message ?? ""))))`

// TestCheck8Accessibility: axe finds no violation on any page, in both themes
// and at both widths.
func TestCheck8Accessibility(t *testing.T) {
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	require.NoError(t, err, "make browser-test installs it")
	s := stack.Start(t)
	for _, typ := range event.Types {
		s.Publish(fmt.Sprintf(`{"type":%q,"data":%s}`, typ, event.Example(typ).Data.AppendJSON(nil)))
	}
	users := map[string]*browser.User{}
	for _, path := range appPages {
		name := map[string]string{"/admin": "admin", "/employees": "hr"}[path]
		if name == "" {
			name = "manager"
		}
		if users[name] == nil {
			users[name] = browser.NewUser(t)
		}
		tab := open(s, users[name], name, path)
		tab.Eventually(soon, `document.querySelector("main h1") && !document.querySelector("main .skeleton, main [aria-busy=true]")`)
		browser.Eval[bool](tab, string(axe)+"; true")
		for _, width := range []int64{1280, 360} {
			for _, scheme := range []string{"light", "dark"} {
				tab.Size(width, scheme)
				for _, found := range browser.Eval[[]string](tab, barriers) {
					t.Errorf("%s at %d in the %s: %s", path, width, scheme, found)
				}
			}
		}
		tab.Close()
	}
}
