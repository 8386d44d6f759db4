package browser

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// A Problem is a sign of a fault in a page, such as a console error. Kind is a word such as "exception" or "http";
// URL may be empty.
type Problem struct{ Kind, Text, URL string }

func (p Problem) String() string { return p.Kind + ": " + p.Text + " (" + p.URL + ")" }

// reportViolations is JavaScript that reports each violation of the content security policy as a console error, because
// the browser does not report all of them.
const reportViolations = `document.addEventListener('securitypolicyviolation',
	e => console.error('[csp] ' + e.effectiveDirective + ' ' + e.blockedURI))`

// Problems returns all problems of the tab so far, except those of the given kinds. An event of the browser that could
// not be decoded since the tab was opened is a problem, too, because it may have been a console error.
func (tab *Tab) Problems(exceptKinds ...string) []Problem {
	tab.t.Helper()
	Eval[bool](tab, `true`) // The tab has handled all events that the browser sent before this answer.
	problems := append(tab.recorded(), undecoded.problemsAfter(tab.undecodedBefore)...)
	return slices.DeleteFunc(problems, func(p Problem) bool { return slices.Contains(exceptKinds, p.Kind) })
}

// recorded returns a copy of the problems that onEvent has recorded.
func (tab *Tab) recorded() []Problem {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.problems)
}

// ForgetProblems removes all problems of the tab so far.
func (tab *Tab) ForgetProblems() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.problems, tab.undecodedBefore = nil, undecoded.count()
}

// addProblem records a problem.
func (tab *Tab) addProblem(kind, text, url string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.problems = append(tab.problems, Problem{kind, text, url})
}

// undecoded holds the errors of chromedp about events that it could not decode and therefore dropped.
var undecoded droppedEvents

// droppedEvents are the texts of errors about events that no tab received. It is safe for concurrent use.
type droppedEvents struct {
	mu    sync.Mutex
	texts []string
}

// keepDropped receives all errors that chromedp logs, and keeps those about events. chromedp does not say to which
// tab an event belongs.
func (d *droppedEvents) keepDropped(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !strings.Contains(text, "unmarshal") {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.texts = append(d.texts, text)
}

// count returns how many events were dropped so far.
func (d *droppedEvents) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.texts)
}

// problemsAfter returns a problem for each dropped event after the first n.
func (d *droppedEvents) problemsAfter(n int) (problems []Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, text := range d.texts[n:] {
		problems = append(problems, Problem{Kind: "undecoded", Text: text})
	}
	return problems
}

// onEvent records an event. chromedp calls it on the goroutine that reads the connection, so it must not block.
func (tab *Tab) onEvent(ev any) {
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		switch e.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
			tab.addProblem("console."+string(e.Type), consoleText(e.Args), "")
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description + string(x.Value)
		}
		tab.addProblem("exception", text, e.ExceptionDetails.URL)
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			tab.addProblem("log."+string(e.Entry.Source), e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			tab.addProblem("issue.csp", d.ViolatedDirective, d.BlockedURL)
		}
	case *network.EventRequestWillBeSent:
		tab.mu.Lock()
		tab.urls[e.RequestID] = e.Request.URL
		tab.mu.Unlock()
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			tab.addProblem("http", fmt.Sprint(e.Response.Status), e.Response.URL)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" {
			tab.mu.Lock()
			url := tab.urls[e.RequestID]
			tab.mu.Unlock()
			tab.addProblem("network", e.ErrorText+" "+string(e.BlockedReason), url)
		}
	}
}

// consoleText returns the arguments of a console call as text.
func consoleText(args []*runtime.RemoteObject) string {
	var parts []string
	for _, a := range args {
		var text string
		switch {
		case json.Unmarshal(a.Value, &text) == nil:
		case len(a.Value) > 0:
			text = string(a.Value)
		default:
			text = string(a.UnserializableValue) + a.Description
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}
