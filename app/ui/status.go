package ui

import (
	"cmp"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// Status is what the indicators show.
type Status struct {
	View        wasmclient.View
	Now         time.Time
	Transitions []wasmclient.Transition // for the panel, oldest first
	Copied      bool                    // the report was
}

// transport names how the events come.
func (s Status) transport() string { return cmp.Or(string(s.View.Status.Transport), "none") }

func (s Status) tab() string { return string(cmp.Or(s.View.Role, tabs.Alone)) }

// part says what this tab does.
func (s Status) part() string {
	role := tabs.Role(s.tab())
	if role == tabs.Alone && !s.View.Connected {
		return text.Of("tab.own")
	}
	return text.Of("tab." + string(role))
}

func (s Status) attributes(e app.HTMLElem) app.HTMLElem {
	return e.DataSet("status", string(s.View.Status.State)).DataSet("transport", s.transport()).DataSet("tab", s.tab())
}

func glyph(s conn.State) app.UI {
	return Line("span", "glyph", glyphs[s]).Aria("hidden", "true")
}

// Compact is the indicator of the header. Screen readers hear it from the
// live region of the shell; the countdown is for the eye alone.
func (s Status) Compact() app.UI {
	st := s.View.Status
	return s.attributes(El("div", "status status-compact")).Body(
		glyph(st.State),
		Line("span", "status-words", shortWords(st)),
		Line("span", "status-count", Countdown(st, s.Now)).Aria("hidden", "true"),
		If(s.View.Unsent() > 0, func() app.UI {
			return Line("span", "chip chip-warning", text.Of("status.unsent", text.Number(s.View.Unsent())))
		}),
	)
}

// shortWords fit the header at 360 px.
func shortWords(s conn.Status) string {
	switch s.State {
	case conn.Denied:
		if s.Code == "forbidden" { // the user is signed in
			return text.Of("state.denied.forbidden.short")
		}
		return text.Of("state.denied.short")
	case conn.Stale, conn.Offline, conn.Limited:
		return text.Of("state." + string(s.State) + ".short")
	}
	return Words(s)
}

// Actions are what the user can do with the connection.
type Actions struct {
	Connect, Disconnect, Pause, Resume, SignIn func()
	Reload                                     func() // of the page
	Copy                                       func() // of the report
}

// Banner says what a longer break means, and offers the next step; nothing
// where all is well.
func (s Status) Banner(a Actions) app.UI {
	st := s.View.Status
	words, action, do, class := "", "", func() {}, "banner-"+string(st.State)
	switch st.State {
	case conn.Reconnecting, conn.Limited:
		if st.Code == conn.LoginRedirect {
			words, action, do = text.Of("state.login")+".", text.Of("sign_in"), a.Reload
			class = "banner-login" // at once: it does not go away by itself
			break
		}
		if strings.HasPrefix(st.Code, "http_") || st.Code == "not_a_stream" {
			words = text.Of("banner.between", Words(st), Countdown(st, s.Now))
			action, do = text.Of("retry_now"), a.Connect
			break
		}
		words, action, do = text.Of("banner.retrying", Words(st), Countdown(st, s.Now)), text.Of("retry_now"), a.Connect
	case conn.Offline:
		words = text.Of("banner.offline", Words(st), s.asOf())
	case conn.Denied:
		words, action, do = Words(st)+".", text.Of("sign_in"), a.SignIn
		if st.Code == "forbidden" { // the user is signed in
			action, do = text.Of("retry_now"), a.Connect
		}
	case conn.Disconnected:
		words, action, do = text.Of("banner.disconnected"), text.Of("connect"), a.Connect
	case conn.Paused:
		words, action, do = text.Of("banner.paused"), text.Of("resume"), a.Resume
	}
	if st.Code != "" && words != "" && st.State != conn.Paused {
		words += " (" + st.Code + ")"
	}
	if n := s.View.Unsent(); n > 0 && words != "" {
		words += " " + text.Count("banner.unsent", n)
	}
	return El("div", "banner-place", If(words != "", func() app.UI {
		return El("div", "", glyph(st.State), Line("span", "banner-text", words),
			If(action != "", func() app.UI {
				return Button("button button-small", action).OnClick(on(do), app.EventScope(action))
			}),
		).Class("banner", class)
	}))
}

// asOf is when what is shown was true.
func (s Status) asOf() string {
	at := s.View.AsOf
	if at.IsZero() {
		at = s.View.Status.Since
	}
	return text.When(at, s.Now)
}

// Panel is the indicator with all its details, and the controls.
func (s Status) Panel(a Actions) app.UI {
	v := s.View
	last := text.Of("panel.none")
	if v.LastEvent != nil {
		last = text.Of("panel.event", text.Label(string(v.LastEvent.Type)), text.Clock(v.LastEvent.Received))
	}
	rows := [][2]string{{text.Of("panel.transport"), text.Label(s.transport())}, {text.Of("panel.tab"), s.part()}, {text.Of("panel.since"), text.Clock(v.Status.Since)}, {text.Of("panel.last"), last},
		{text.Of("panel.place"), v.Cursor.String()}, {text.Of("panel.events"), text.Number(v.Total)}}
	if v.Status.Attempt > 0 {
		rows = append(rows, [2]string{text.Of("panel.attempts"), text.Number(v.Status.Attempt)})
	}
	if v.Status.Code != "" {
		rows = append(rows, [2]string{text.Of("panel.code"), v.Status.Code})
	}
	connect := "connect"
	if v.Status.State == conn.Reconnecting || v.Status.State == conn.Limited {
		connect = "retry_now"
	}
	return El("section", "card status-panel", s.attributes(El("div", "status status-full")).Body(
		glyph(v.Status.State), Line("strong", "", Words(v.Status)), Line("span", "status-count", Countdown(v.Status, s.Now)).Aria("hidden", "true")),
		El("dl", "facts", Each(len(rows), func(i int) app.UI {
			return El("div", "", Line("dt", "", rows[i][0]), Line("dd", "", rows[i][1]))
		})),
		El("div", "buttons", button(text.Of(connect), v.Connected, a.Connect),
			button(text.Of("disconnect"), v.Status.State == conn.Disconnected, a.Disconnect),
			button(text.Of("pause"), v.Status.State == conn.Paused || v.Status.State == conn.Disconnected, a.Pause),
			button(text.Of("resume"), v.Status.State != conn.Paused, a.Resume),
		),
		El("details", "", Line("summary", "", text.Of("panel.past")),
			Button("button button-small", text.Of(copyWords[s.Copied])).OnClick(on(a.Copy)),
			transitions(s.Transitions)),
	).Aria("label", text.Of("panel"))
}

var copyWords = map[bool]string{false: "panel.copy", true: "panel.copied"}

// maxPast is how many past states the panel shows; the report has all.
const maxPast = 50

func transitions(all []wasmclient.Transition) app.UI {
	return El("ol", "transitions", app.Range(all[max(0, len(all)-maxPast):]).Slice(func(i int) app.UI {
		t := all[len(all)-1-i]
		line := string(t.Status.State)
		for _, more := range []string{t.Status.Code, string(t.Status.Transport)} {
			if more != "" {
				line += " · " + more
			}
		}
		return El("li", "", Line("time", "", text.Clock(t.At)), app.Text(" "+line))
	}))
}

func button(label string, disabled bool, do func()) app.UI {
	return Button("button", label).Attr("disabled", disabled).OnClick(on(do), app.EventScope(label))
}

// on makes an event handler of an action. Actions return at once.
//
//go:noinline
func on(do func()) app.EventHandler {
	return func(_ app.Context, e app.Event) { do() }
}
