package browser

import "testing"

func TestMain(m *testing.M) { Main(m) }

// chromedp v0.23.0 logs an event that it cannot decode, and drops it.
func TestDroppedEventIsAProblem(t *testing.T) {
	tab := NewUser(t).NewTab()
	tab.Open("about:blank")
	if problems := tab.Problems(); len(problems) != 0 {
		t.Fatalf("an empty page has problems: %v", problems)
	}
	undecoded.keepDropped("could not unmarshal event: %v", "unknown value")
	if problems := tab.Problems(); len(problems) != 1 || problems[0].Kind != "undecoded" {
		t.Errorf("a dropped event is not reported: %v", problems)
	}
	if problems := NewUser(t).NewTab().Problems(); len(problems) != 0 {
		t.Errorf("a tab reports an event that was dropped before it was opened: %v", problems)
	}
}
