package ui

import (
	"cmp"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// Status renders the state of the connection.
type Status struct {
	View         wasmclient.View
	Now          time.Time
	Transitions  []wasmclient.Transition // the last changes of state for the panel, oldest first
	ReportCopied bool                    // the user has copied the report
}

// transport returns the name of the transport that brings the events.
func (s Status) transport() string { return cmp.Or(string(s.View.Status.Transport), "none") }

func (s Status) tabRole() tabs.Role { return cmp.Or(s.View.Role, tabs.Alone) }

// roleText returns words for the role of this tab among the tabs of the browser.
func (s Status) roleText() string {
	role := s.tabRole()
	if role == tabs.Alone && !s.View.Connected {
		return text.Of("tab.own")
	}
	return text.Of("tab." + string(role))
}

// withAttributes adds the attributes by which style sheets and tests know the state.
func (s Status) withAttributes(e app.HTMLElem) app.HTMLElem {
	return e.
		DataSet("status", string(s.View.Status.State)).
		DataSet("transport", s.transport()).
		DataSet("tab", string(s.tabRole()))
}

func glyph(s conn.State) app.UI {
	return TextEl("span", "glyph", glyphs[s]).Aria("hidden", "true")
}

// countdown returns the countdown. Screen readers skip it, because it changes every second.
func (s Status) countdown() app.UI {
	return TextEl("span", "status-count", Countdown(s.View.Status, s.Now)).Aria("hidden", "true")
}

// Compact renders the indicator of the header. Screen readers read the state in the live region of the shell.
func (s Status) Compact() app.UI {
	status := s.View.Status
	unsent := If(s.View.Unsent() > 0, func() app.UI {
		return TextEl("span", "chip chip-warning", text.Of("status.unsent", text.Number(s.View.Unsent())))
	})
	return s.withAttributes(El("div", "status status-compact")).Body(
		glyph(status.State),
		TextEl("span", "status-words", shortStatusText(status)),
		s.countdown(),
		unsent)
}

// shortStatusText returns words that fit the header in a window of 360 px.
func shortStatusText(s conn.Status) string {
	switch s.State {
	case conn.Denied:
		if s.Code == problem.CodeForbidden { // the user is signed in
			return text.Of("state.denied.forbidden.short")
		}
		return text.Of("state.denied.short")
	case conn.Stale, conn.Offline, conn.Limited:
		return text.Of("state." + string(s.State) + ".short")
	}
	return StatusText(s)
}

// Actions has a function for each thing that the user can do with the connection. No function may block.
type Actions struct {
	Connect    func()
	Disconnect func()
	Pause      func()
	Resume     func()
	SignIn     func()
	Reload     func() // reloads the page
	CopyReport func() // copies the report of the last changes of state
}

// A connectionNotice is the sentence of a banner with the next step of the user.
type connectionNotice struct {
	words  string // "" for no banner
	label  string // of the button; "" for no button
	press  func() // of the button
	banner string // the class of the banner
}

// notice returns the notice for the state, without the code.
func (s Status) notice(a Actions) connectionNotice {
	status := s.View.Status
	n := connectionNotice{press: func() {}, banner: "banner-" + string(status.State)}
	switch status.State {
	case conn.Reconnecting, conn.Limited:
		switch {
		case status.Code == conn.LoginRedirect:
			n.words, n.label, n.press = text.Of("state.login")+".", text.Of("sign_in"), a.Reload
			n.banner = "banner-login" // it appears at once, because the state does not pass by itself
		case strings.HasPrefix(status.Code, "http_") || status.Code == "not_a_stream":
			n.words = text.Of("banner.between", StatusText(status), Countdown(status, s.Now))
			n.label, n.press = text.Of("retry_now"), a.Connect
		default:
			n.words = text.Of("banner.retrying", StatusText(status), Countdown(status, s.Now))
			n.label, n.press = text.Of("retry_now"), a.Connect
		}
	case conn.Offline:
		n.words = text.Of("banner.offline", StatusText(status), s.asOf())
	case conn.Denied:
		n.words, n.label, n.press = StatusText(status)+".", text.Of("sign_in"), a.SignIn
		if status.Code == problem.CodeForbidden { // the user is signed in
			n.label, n.press = text.Of("retry_now"), a.Connect
		}
	case conn.Disconnected:
		n.words, n.label, n.press = text.Of("banner.disconnected"), text.Of("connect"), a.Connect
	case conn.Paused:
		n.words, n.label, n.press = text.Of("banner.paused"), text.Of("resume"), a.Resume
	}
	return n
}

// Banner explains an interruption and offers the next step. It is an empty element without an interruption.
func (s Status) Banner(a Actions) app.UI {
	status := s.View.Status
	n := s.notice(a)
	if status.Code != "" && n.words != "" && status.State != conn.Paused {
		n.words += " (" + status.Code + ")"
	}
	if unsent := s.View.Unsent(); unsent > 0 && n.words != "" {
		n.words += " " + text.Count("banner.unsent", unsent)
	}
	return El("div", "banner-place", If(n.words != "", func() app.UI {
		return El("div", "",
			glyph(status.State),
			TextEl("span", "banner-text", n.words),
			If(n.label != "", func() app.UI { return SmallButton(n.label, n.press) }),
		).Class("banner", n.banner)
	}))
}

// asOf returns the time at which the data on the page was true.
func (s Status) asOf() string {
	at := s.View.AsOf
	if at.IsZero() {
		at = s.View.Status.Since
	}
	return text.When(at, s.Now)
}

// Panel renders the indicator with all details and with the controls of the connection.
func (s Status) Panel(a Actions) app.UI {
	status := s.View.Status
	indicator := s.withAttributes(El("div", "status status-full")).Body(
		glyph(status.State),
		TextEl("strong", "", StatusText(status)),
		s.countdown())
	connect := "connect"
	if status.State == conn.Reconnecting || status.State == conn.Limited {
		connect = "retry_now"
	}
	ended, paused := status.State == conn.Disconnected, status.State == conn.Paused
	buttons := El("div", "buttons",
		panelButton(text.Of(connect), s.View.Connected, a.Connect),
		panelButton(text.Of("disconnect"), ended, a.Disconnect),
		panelButton(text.Of("pause"), paused || ended, a.Pause),
		panelButton(text.Of("resume"), !paused, a.Resume))
	copyLabel := "panel.copy"
	if s.ReportCopied {
		copyLabel = "panel.copied"
	}
	history := El("details", "",
		TextEl("summary", "", text.Of("panel.past")),
		Button("button button-small", text.Of(copyLabel)).OnClick(onEvent(a.CopyReport)),
		transitionList(s.Transitions))
	return El("section", "card status-panel",
		indicator,
		Facts("facts", s.facts()),
		buttons,
		history,
	).Aria("label", text.Of("panel"))
}

// facts returns the rows of the panel.
func (s Status) facts() []Fact {
	v := s.View
	last := text.Of("panel.none")
	if v.LastEvent != nil {
		last = text.Of("panel.event", text.Label(string(v.LastEvent.Type)), text.Clock(v.LastEvent.Received))
	}
	facts := []Fact{
		TextFact(text.Of("panel.transport"), text.Label(s.transport())),
		TextFact(text.Of("panel.tab"), s.roleText()),
		TextFact(text.Of("panel.since"), text.Clock(v.Status.Since)),
		TextFact(text.Of("panel.last"), last),
		TextFact(text.Of("panel.place"), v.Cursor.String()),
		TextFact(text.Of("panel.events"), text.Number(v.Total)),
	}
	if v.Status.Attempt > 0 {
		facts = append(facts, TextFact(text.Of("panel.attempts"), text.Number(v.Status.Attempt)))
	}
	if v.Status.Code != "" {
		facts = append(facts, TextFact(text.Of("panel.code"), v.Status.Code))
	}
	return facts
}

// maxTransitions is the most changes of state that the panel shows. The report has all.
const maxTransitions = 50

// transitionList lists the last changes of state, newest first.
func transitionList(all []wasmclient.Transition) app.UI {
	shown := all[max(0, len(all)-maxTransitions):]
	return El("ol", "transitions", Each(len(shown), func(i int) app.UI {
		t := all[len(all)-1-i]
		line := string(t.Status.State)
		for _, detail := range []string{t.Status.Code, string(t.Status.Transport)} {
			if detail != "" {
				line += " · " + detail
			}
		}
		return El("li", "",
			TextEl("time", "", text.Clock(t.At)),
			app.Text(" "+line))
	}))
}

func panelButton(label string, disabled bool, press func()) app.UI {
	return Button("button", label).
		Attr("disabled", disabled).
		OnClick(onEvent(press), app.EventScope(label))
}
