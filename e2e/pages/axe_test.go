package pages

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// findViolations is JavaScript that runs axe in a page and returns a line for each violation.
const findViolations = `axe.run(document, {
	resultTypes: ["violations"],
	rules: {"target-size": {enabled: true}},
}).then(r => r.violations.flatMap(v => v.nodes.map(n =>
	v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? n.all[0]?.message ?? ""))))`

// readAxe returns the source of axe.
func readAxe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	require.NoError(t, err, "make browser-test installs it")
	return string(source)
}

// audit reports the violations in the page that a tab shows, in both themes and at both widths. The description names
// the page in these reports.
func audit(t *testing.T, tab *browser.Tab, axeSource, description string) {
	t.Helper()
	browser.Eval[bool](tab, axeSource+"; true")
	for _, width := range []int64{1280, 360} {
		for _, scheme := range []string{"light", "dark"} {
			tab.SetSize(width, scheme)
			for _, violation := range browser.Eval[[]string](tab, findViolations) {
				t.Errorf("%s at %d in the %s: %s", description, width, scheme, violation)
			}
		}
	}
}

// axe finds no violation on any page, in both themes and at both widths.
func TestPagesPassTheAccessibilityAudit(t *testing.T) {
	axeSource := readAxe(t)
	s := stack.Start(t)
	publishExamples(s)
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
		tab.Eventually(testkit.Soon, hasFullPage)
		audit(t, tab, axeSource, path)
		tab.Close()
	}
}

// axe finds no violation in dialogs, form errors, toasts and the rest of the navigation, and while the broker is down.
func TestEmptyLoadingAndErrorStatesPassTheAccessibilityAudit(t *testing.T) {
	axeSource, s := readAxe(t), stack.Start(t)
	publishExamples(s)
	tab := browser.NewUser(t).NewTab()
	tab.Open(s.URL)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user]")`)
	audit(t, tab, axeSource, "sign-in")
	tab.Click("[data-user=manager]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	s.Publish(`{"type":"rental_overdue","data":{"rental_id":77,"days_overdue":1}}`)
	s.Publish(`{"type":"system_notification","data":{"message":"x","title":"Release","level":"error",` +
		`"action_url":"/events","action_label":"Read"}}`)
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-toast]").length === 2`)
	audit(t, tab, axeSource, "messages")
	tab.Open(s.URL + "/events")
	tab.Eventually(testkit.Soon, `document.querySelector(".row-open")`)
	tab.Click(".row-open")
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open]")`)
	audit(t, tab, axeSource, "drawer")
	tab.Open(s.URL + "/equipment")
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="fault"]')`)
	tab.Click(`[data-act="fault"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] form")`)
	audit(t, tab, axeSource, "form")
	tab.Click(`dialog [type=submit]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog .problem")`)
	audit(t, tab, axeSource, "errors of a form")
	tab.Open(s.URL + "/rentals")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.SetSize(360, "light")
	tab.Click("#more")
	tab.Eventually(testkit.Soon, `document.querySelector(".nav-open")`)
	audit(t, tab, axeSource, "more")
	tab.Type("?")
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open]")`)
	audit(t, tab, axeSource, "keys")
	tab.Open(s.URL + "/nope")
	tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "not-found"`)
	audit(t, tab, axeSource, "not found")
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	s.Kill()
	tab.Eventually(
		testkit.Soon,
		`getComputedStyle(document.querySelector(".banner-reconnecting")).visibility === "visible"`,
	)
	audit(t, tab, axeSource, "broker away")
}
