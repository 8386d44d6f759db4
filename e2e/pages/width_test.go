package pages

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/event"
)

// hasFullPage is JavaScript that is true when the page has its heading and loads nothing more.
const hasFullPage = `document.querySelector("main h1") &&
	!document.querySelector("main .skeleton, main [aria-busy=true]")`

// publishExamples publishes the example of each event type.
func publishExamples(s *stack.Stack) {
	for _, typ := range event.Types {
		s.Publish(fmt.Sprintf(`{"type":%q,"data":%s}`, typ, event.Example(typ).Data.AppendJSON(nil)))
	}
}

// smallControls is JavaScript that returns the controls that a finger easily misses. They are lower than 44 px, and
// have no ::after that extends them over their row or card.
const smallControls = `[...document.querySelectorAll(
		"a[href], button, summary, select, input:not([type=checkbox]), label:has(input)")]
	.filter(e => e.checkVisibility() && !e.closest(".visually-hidden, dialog") && !e.classList.contains("skip"))
	.filter(e => e.getBoundingClientRect().height < 43.5 && getComputedStyle(e, "::after").content === "none")
	.map(e => e.outerHTML.slice(0, 120) + " " + e.getBoundingClientRect().height)`

// publishLongTexts publishes events with a long word, a long number and a large amount.
func publishLongTexts(s *stack.Stack, word string) {
	for i := range 2 {
		s.Publish(fmt.Sprintf(`{"type":"maintenance_required","data":{"maintenance_id":%d,"equipment_id":31,`+
			`"equipment_name":%q,"issue":"Hydraulic hose at the left boom cylinder leaks and wants replacing %d"}}`,
			900+i, word, i))
	}
	s.Publish(fmt.Sprintf(`{"type":"rental_status_updated","data":{"rental_id":123,"status":"active",`+
		`"rental_number":"R-2026-00000000000000000000001","customer":%q}}`, word))
	s.Publish(fmt.Sprintf(`{"type":"rental_overdue","data":{"rental_id":123,"days_overdue":3,"customer":%q,`+
		`"amount_outstanding":123456789.25}}`, word))
	s.Publish(fmt.Sprintf(`{"type":"timesheet_updated","data":{"timesheet_id":1,"employee_id":5,"employee_name":%q,`+
		`"status":"submitted","date":"2026-11-24"}}`, word))
	s.Publish(fmt.Sprintf(`{"type":"system_notification","data":{"message":%q,"title":%q}}`, word, word))
}

// At 360 px no page scrolls sideways, however long the words of its texts are. A page that is too wide makes the window
// of a phone wider, so the width of the document must stay.
func TestNoPageScrollsSideways(t *testing.T) {
	s := stack.Start(t)
	publishExamples(s)
	publishLongTexts(s, strings.Repeat("Donaudampfschiff", 4))
	users := map[string]*browser.User{"manager": browser.NewUser(t), "admin": browser.NewUser(t)}
	for _, path := range append([]string{"/equipment/31"}, testkit.Paths...) {
		name := "manager"
		if path == "/admin" {
			name = "admin"
		}
		tab := testkit.Open(s, users[name], name, path)
		tab.SetSize(360, "light")
		tab.Eventually(testkit.Soon, hasFullPage)
		require.Empty(t, browser.Eval[[]string](tab, smallControls), path)
		require.Equal(
			t,
			[]int{360, 360},
			browser.Eval[[]int](tab, `[document.documentElement.clientWidth, document.documentElement.scrollWidth]`),
			path,
		)
		tab.Close()
	}
}
