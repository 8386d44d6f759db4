package pages

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/event"
)

// barriers runs axe in a page, and lists what it finds.
const barriers = `axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? n.all[0]?.message ?? ""))))`

// axe finds no violation on any page, in both themes and at both widths.
func TestPagesPassTheAccessibilityAudit(t *testing.T) {
	axe, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	require.NoError(t, err, "make browser-test installs it")
	s := stack.Start(t)
	for _, typ := range event.Types {
		s.Publish(fmt.Sprintf(`{"type":%q,"data":%s}`, typ, event.Example(typ).Data.AppendJSON(nil)))
	}
	users := map[string]*browser.User{}
	for _, path := range testkit.Paths {
		name := map[string]string{"/admin": "admin", "/employees": "hr"}[path]
		if name == "" {
			name = "manager"
		}
		if users[name] == nil {
			users[name] = browser.NewUser(t)
		}
		tab := testkit.Open(s, users[name], name, path)
		tab.Eventually(
			testkit.Soon,
			`document.querySelector("main h1") && !document.querySelector("main .skeleton, main [aria-busy=true]")`,
		)
		look(t, tab, string(axe), path)
		tab.Close()
	}
}

// look reports the barriers of what a tab shows, in both themes and widths.
func look(t *testing.T, tab *browser.Tab, axe, what string) {
	t.Helper()
	browser.Eval[bool](tab, axe+"; true")
	for _, width := range []int64{1280, 360} {
		for _, scheme := range []string{"light", "dark"} {
			tab.SetSize(width, scheme)
			for _, found := range browser.Eval[[]string](tab, barriers) {
				t.Errorf("%s at %d in the %s: %s", what, width, scheme, found)
			}
		}
	}
}

// axe finds no violation in dialogs, form errors, messages, the rest of the navigation, and without a broker.
func TestEmptyLoadingAndErrorStatesPassTheAccessibilityAudit(t *testing.T) {
	script, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	require.NoError(t, err, "make browser-test installs it")
	axe, s := string(script), stack.Start(t)
	examples(s)
	tab := browser.NewUser(t).NewTab()
	tab.Open(s.URL)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user]")`)
	look(t, tab, axe, "sign-in")
	tab.Click("[data-user=manager]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	s.Publish(`{"type":"rental_overdue","data":{"rental_id":77,"days_overdue":1}}`)
	s.Publish(
		`{"type":"system_notification","data":{"message":"x","title":"Release","level":"error","action_url":"/events","action_label":"Read"}}`,
	)
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-toast]").length === 2`)
	look(t, tab, axe, "messages")
	tab.Open(s.URL + "/events")
	tab.Eventually(testkit.Soon, `document.querySelector(".row-open")`)
	tab.Click(".row-open")
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open]")`)
	look(t, tab, axe, "drawer")
	tab.Open(s.URL + "/equipment")
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="fault"]')`)
	tab.Click(`[data-act="fault"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] form")`)
	look(t, tab, axe, "form")
	tab.Click(`dialog [type=submit]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog .problem")`)
	look(t, tab, axe, "errors of a form")
	tab.Open(s.URL + "/rentals")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.SetSize(360, "light")
	tab.Click("#more")
	tab.Eventually(testkit.Soon, `document.querySelector(".nav-open")`)
	look(t, tab, axe, "more")
	tab.Type("?")
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open]")`)
	look(t, tab, axe, "keys")
	tab.Open(s.URL + "/nope")
	tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "not-found"`)
	look(t, tab, axe, "not found")
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	s.Kill()
	tab.Eventually(
		testkit.Soon,
		`getComputedStyle(document.querySelector(".banner-reconnecting")).visibility === "visible"`,
	)
	look(t, tab, axe, "broker away")
}
