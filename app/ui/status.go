package ui

import (
	"cmp"
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

func (s Status) attributes(e app.HTMLDiv) app.HTMLDiv {
	return e.DataSet("status", string(s.View.Status.State)).DataSet("transport", s.transport()).DataSet("tab", s.tab())
}

func glyph(s conn.State) app.UI {
	return app.Span().Class("glyph").Aria("hidden", "true").Text(glyphs[s])
}

// Compact is the indicator of the header. Screen readers hear it from the
// live region of the shell; the countdown is for the eye alone.
func (s Status) Compact() app.UI {
	st := s.View.Status
	return s.attributes(app.Div().Class("status", "status-compact")).Body(
		glyph(st.State),
		app.Span().Class("status-words").Text(shortWords(st)),
		app.Span().Class("status-count").Aria("hidden", "true").Text(Countdown(st, s.Now)),
		app.If(s.View.Unsent() > 0, func() app.UI {
			return app.Span().Class("chip", "chip-warning").Text(text.Of("status.unsent", text.Number(s.View.Unsent())))
		}),
	)
}

// shortWords fit the header at 360 px.
func shortWords(s conn.Status) string {
	switch s.State {
	case conn.Stale, conn.Offline, conn.Denied, conn.Limited:
		return text.Of("state." + string(s.State) + ".short")
	}
	return Words(s)
}

// Actions are what the user can do with the connection.
type Actions struct {
	Connect, Disconnect, Pause, Resume, SignIn func()
	Copy                                       func() // of the report
}

// Banner says what a longer break means, and offers the next step; nothing
// where all is well.
func (s Status) Banner(a Actions) app.UI {
	st := s.View.Status
	words, action, do := "", "", func() {}
	switch st.State {
	case conn.Reconnecting, conn.Limited:
		words, action, do = text.Of("banner.retrying", Words(st), Countdown(st, s.Now)), text.Of("retry_now"), a.Connect
	case conn.Offline:
		words = text.Of("banner.offline", Words(st), s.asOf())
	case conn.Denied:
		words, action, do = Words(st)+".", text.Of("sign_in"), a.SignIn
	case conn.Disconnected:
		words, action, do = text.Of("banner.disconnected"), text.Of("connect"), a.Connect
	case conn.Paused:
		words, action, do = text.Of("banner.paused"), text.Of("resume"), a.Resume
	}
	if n := s.View.Unsent(); n > 0 && words != "" {
		words += " " + text.Count("banner.unsent", n)
	}
	return app.Div().Class("banner-place").Body(app.If(words != "", func() app.UI {
		return app.Div().Class("banner", "banner-"+string(st.State)).Body(
			glyph(st.State), app.Span().Class("banner-text").Text(words),
			app.If(action != "", func() app.UI {
				return app.Button().Type("button").Class("button", "button-small").Text(action).OnClick(on(do), app.EventScope(action))
			}),
		)
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
	return app.Section().Class("card", "status-panel").Aria("label", text.Of("panel")).Body(
		s.attributes(app.Div().Class("status", "status-full")).Body(
			glyph(v.Status.State), app.Strong().Text(Words(v.Status)), app.Span().Class("status-count").Aria("hidden", "true").Text(Countdown(v.Status, s.Now))),
		app.Dl().Class("facts").Body(app.Range(rows).Slice(func(i int) app.UI {
			return app.Div().Body(app.Dt().Text(rows[i][0]), app.Dd().Text(rows[i][1]))
		})),
		app.Div().Class("buttons").Body(
			button(text.Of("connect"), v.Connected, a.Connect),
			button(text.Of("disconnect"), v.Status.State == conn.Disconnected, a.Disconnect),
			button(text.Of("pause"), v.Status.State == conn.Paused || v.Status.State == conn.Disconnected, a.Pause),
			button(text.Of("resume"), v.Status.State != conn.Paused, a.Resume),
		),
		app.Details().Body(app.Summary().Text(text.Of("panel.past")),
			app.Button().Type("button").Class("button", "button-small").Text(text.Of(copyWords[s.Copied])).OnClick(on(a.Copy)),
			transitions(s.Transitions)),
	)
}

var copyWords = map[bool]string{false: "panel.copy", true: "panel.copied"}

// maxPast is how many past states the panel shows; the report has all.
const maxPast = 50

func transitions(all []wasmclient.Transition) app.UI {
	return app.Ol().Class("transitions").Body(app.Range(all[max(0, len(all)-maxPast):]).Slice(func(i int) app.UI {
		t := all[len(all)-1-i]
		line := string(t.Status.State)
		for _, more := range []string{t.Status.Code, string(t.Status.Transport)} {
			if more != "" {
				line += " · " + more
			}
		}
		return app.Li().Body(app.Time().Text(text.Clock(t.At)), app.Text(" "+line))
	}))
}

func button(label string, disabled bool, do func()) app.UI {
	return app.Button().Type("button").Class("button").Disabled(disabled).Text(label).OnClick(on(do), app.EventScope(label))
}

// on makes an event handler of an action. Actions return at once.
func on(do func()) app.EventHandler {
	return func(_ app.Context, e app.Event) { do() }
}
