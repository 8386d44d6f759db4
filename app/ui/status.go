package ui

import (
	"cmp"
	"fmt"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

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
		return "on its own"
	}
	return tabWords[role]
}

// tabWords say what a role means.
var tabWords = map[tabs.Role]string{
	tabs.Alone:    "has a connection for itself",
	tabs.Leader:   "holds the connection for all tabs",
	tabs.Follower: "follows another tab's connection",
}

func (s Status) attributes(e app.HTMLDiv) app.HTMLDiv {
	return e.DataSet("status", string(s.View.Status.State)).DataSet("transport", s.transport()).DataSet("tab", s.tab())
}

func glyph(s conn.State) app.UI {
	return app.Span().Class("glyph").Aria("hidden", "true").Text(stateWords[s].glyph)
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
			return app.Span().Class("chip", "chip-warning").Text(fmt.Sprintf("%d to send", s.View.Unsent()))
		}),
	)
}

// shortWords fit the header at 360 px.
func shortWords(s conn.Status) string {
	switch s.State {
	case conn.Stale:
		return "Checking…"
	case conn.Offline:
		return "Offline"
	case conn.Denied:
		return "Signed out"
	case conn.Limited:
		return "Busy"
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
	text, action, do := "", "", func() {}
	switch st.State {
	case conn.Reconnecting, conn.Limited:
		text, action, do = Words(st)+" "+Countdown(st, s.Now)+". What you see may be out of date.", "Retry now", a.Connect
	case conn.Offline:
		text = Words(st) + ". Showing data from " + s.asOf() + "."
	case conn.Denied:
		text, action, do = Words(st)+".", "Sign in", a.SignIn
	case conn.Disconnected:
		text, action, do = "Disconnected. Nothing new comes in.", "Connect", a.Connect
	case conn.Paused:
		text, action, do = "Paused. Nothing new comes in.", "Resume", a.Resume
	}
	if n := s.View.Unsent(); n > 0 && text != "" {
		text += " " + count(n, "change") + " will be sent later."
	}
	return app.Div().Class("banner-place").Body(app.If(text != "", func() app.UI {
		return app.Div().Class("banner", "banner-"+string(st.State)).Body(
			glyph(st.State), app.Span().Class("banner-text").Text(text),
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
	return at.Local().Format("15:04")
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Panel is the indicator with all its details, and the controls.
func (s Status) Panel(a Actions) app.UI {
	v := s.View
	last := "none yet"
	if v.LastEvent != nil {
		last = Label(string(v.LastEvent.Type)) + " at " + Clock(v.LastEvent.Received)
	}
	rows := [][2]string{{"Transport", s.transport()}, {"This tab", s.part()}, {"Since", Clock(v.Status.Since)}, {"Last event", last},
		{"Place in the log", v.Cursor.String()}, {"Events", fmt.Sprint(v.Total)}}
	if v.Status.Attempt > 0 {
		rows = append(rows, [2]string{"Failed attempts", fmt.Sprint(v.Status.Attempt)})
	}
	if v.Status.Code != "" {
		rows = append(rows, [2]string{"Code", v.Status.Code})
	}
	return app.Section().Class("card", "status-panel").Aria("label", "Connection").Body(
		s.attributes(app.Div().Class("status", "status-full")).Body(
			glyph(v.Status.State), app.Strong().Text(Words(v.Status)), app.Span().Class("status-count").Aria("hidden", "true").Text(Countdown(v.Status, s.Now))),
		app.Dl().Class("facts").Body(app.Range(rows).Slice(func(i int) app.UI {
			return app.Div().Body(app.Dt().Text(rows[i][0]), app.Dd().Text(rows[i][1]))
		})),
		app.Div().Class("buttons").Body(
			button("Connect", v.Connected, a.Connect),
			button("Disconnect", v.Status.State == conn.Disconnected, a.Disconnect),
			button("Pause", v.Status.State == conn.Paused || v.Status.State == conn.Disconnected, a.Pause),
			button("Resume", v.Status.State != conn.Paused, a.Resume),
		),
		app.Details().Body(app.Summary().Text("Past states"),
			app.Button().Type("button").Class("button", "button-small").Text(copyWords[s.Copied]).OnClick(on(a.Copy)),
			transitions(s.Transitions)),
	)
}

var copyWords = map[bool]string{false: "Copy for a report", true: "Copied"}

// maxPast is how many past states the panel shows; the report has all.
const maxPast = 50

func transitions(all []wasmclient.Transition) app.UI {
	return app.Ol().Class("transitions").Body(app.Range(all[max(0, len(all)-maxPast):]).Slice(func(i int) app.UI {
		t := all[len(all)-1-i]
		text := string(t.Status.State)
		for _, more := range []string{t.Status.Code, string(t.Status.Transport)} {
			if more != "" {
				text += " · " + more
			}
		}
		return app.Li().Body(app.Time().Text(Clock(t.At)), app.Text(" "+text))
	}))
}

func button(text string, disabled bool, do func()) app.UI {
	return app.Button().Type("button").Class("button").Disabled(disabled).Text(text).OnClick(on(do), app.EventScope(text))
}

// on makes an event handler of an action. Actions return at once.
func on(do func()) app.EventHandler {
	return func(_ app.Context, e app.Event) { do() }
}
