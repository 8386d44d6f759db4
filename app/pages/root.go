// Package pages holds the app's pages, one file a page, and the shell around
// them.
package pages

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Root is the whole app: the shell, which stays, and the page of the path.
// go-app keeps it over navigations, since every path has the same type.
type Root struct {
	app.Compo
	Live *live.Live

	ctx    app.Context // for what is done by a button of a list
	state  live.State
	now    time.Time // of the last refresh
	path   string
	query  string
	update bool // a new version waits
	leave  func()
	unkey  func()
	voice  voice
	says   [2]string     // what screen readers hear: politely, and at once
	stop   chan struct{} // ends the clock
	dialog *dialog       // nil: none
	narrow bool          // the page has the layout of a phone
	more   bool          // the rest of the navigation is shown
	chord  time.Time     // g was pressed

	asked int // whose answers are waited for: another number with another user

	feed     feedPage
	past     historyPage
	subject  subjectPage
	boards   boardsPage
	acting   actingPage
	test     testPage
	watching adminPage
	wishes   notifyPage
	device   settingsPage

	reported bool      // the report was copied
	before   app.Value // what had the focus before the toasts
}

// OnMount implements app.Mounter.
func (r *Root) OnMount(ctx app.Context) {
	r.ctx = ctx
	r.leave = r.Live.Subscribe(func() { ctx.Dispatch(r.refresh) })
	r.unkey = onKey(func(e app.Value) { r.keys(ctx, e) })
	r.stop = make(chan struct{})
	device.OnWorker(func(path string) { ctx.Dispatch(func(ctx app.Context) { navigate(ctx, path) }) })
	r.narrow = device.Narrow(func(narrow bool) {
		ctx.Dispatch(func(app.Context) { r.narrow = narrow })
		r.Live.UpdateToasts(func(q *toast.Queue, now time.Time) { q.SetMax(now, MaxToasts(narrow)) })
	})
	go r.tick(ctx, r.stop)
	go r.Live.Start(context.Background())
	r.refresh(ctx)
}

// tick moves the countdowns, while there are any, and what says how long ago
// something was.
func (r *Root) tick(ctx app.Context, stop chan struct{}) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n := 1; ; n++ {
		select {
		case <-second.C:
			slow := n%30 == 0
			ctx.Dispatch(func(ctx app.Context) {
				said := r.says
				r.refresh(ctx) // something may wait to be said
				if len(r.state.View.Toasts) > 0 {
					r.holdToasts() // no event tells that what had the focus is gone
				}
				if r.says == said && r.state.View.Status.RetryAt.IsZero() && !slow && !r.rested() {
					ctx.PreventUpdate()
				}
			})
		case <-stop:
			return
		}
	}
}

// OnDismount implements app.Dismounter.
func (r *Root) OnDismount() {
	r.leave()
	r.unkey()
	close(r.stop)
}

// OnNav implements app.Navigator.
func (r *Root) OnNav(ctx app.Context) {
	url := ctx.Page().URL()
	moved := r.path != "" && (r.path != url.EscapedPath())
	r.path, r.query = url.EscapedPath(), url.RawQuery
	r.more = false
	r.title(ctx)
	if moved { // go-app moves neither focus nor scroll
		r.close()
		ctx.Defer(focusMain)
	}
	r.arrive(ctx)
}

// arrive starts what the page of the path asks the broker for.
func (r *Root) arrive(ctx app.Context) {
	if r.state.Phase != live.SignedIn {
		return
	}
	switch p := r.find(); {
	case p == nil:
	case p.key == "events":
		r.past.arrive(r)
	case p.key == "rental" || p.key == "unit":
		r.subject.arrive(r)
	case p.key == "admin":
		r.watching.arrive(r)
	case p.key == "notifications":
		r.wishes.arrive(r)
	}
}

func (r *Root) title(ctx app.Context) {
	name := text.Of("not_found.title")
	if p := r.find(); p != nil {
		name = text.Of("page." + p.key)
		if id, _ := match(p.pattern, r.path); id != "" {
			name = text.Of("page."+p.key+".of", id)
		}
	}
	ctx.Page().SetTitle(name + " · Yardline")
}

// focusMain brings keyboard and screen to the start of the page.
func focusMain(app.Context) {
	app.Window().GetElementByID("main").Call("focus")
	app.Window().Call("scrollTo", 0, 0)
}

// OnAppUpdate implements app.AppUpdater.
func (r *Root) OnAppUpdate(app.Context) { r.update = true }

// OnAppInstallChange implements app.AppInstaller.
func (r *Root) OnAppInstallChange(app.Context) {}

// refresh takes what there is to show.
func (r *Root) refresh(ctx app.Context) {
	before, grant, connected := r.state.Phase, r.state.User.Grant().ID(), r.state.View.Connected
	r.state = r.Live.State()
	if !connected && r.state.View.Connected {
		r.Live.HandleBrokerBack()
		r.back()
		app.TryUpdate() // the broker may be another version
	}
	r.now = time.Now()
	text.SetCurrency(r.state.View.Currency)
	r.says = r.voice.say(r.now, r.announcement(), r.state.View.Toasts)
	r.feed.refresh(r)
	r.keepFocus(ctx)
	r.reloadForGateway()
	if r.state.Phase != before || r.state.User.Grant().ID() != grant {
		r.forget()
		r.title(ctx)
		r.arrive(ctx)
	}
}

// reloadForGateway reloads the page when a gateway asks for another sign-in, so that the gateway can show its page. It
// does so once in a while, and only when the reload loses nothing.
func (r *Root) reloadForGateway() {
	v := r.state.View
	if r.state.GatewaySignIn && v.Unsent() == 0 && v.Rejected() == 0 && !device.Typed() && device.FirstReload(time.Now()) {
		reload()
	}
}

// back asks again for what the broker could not be asked for.
func (r *Root) back() {
	r.wishes.problem = ""
	p := r.find()
	switch {
	case p == nil || r.state.Phase != live.SignedIn:
	case p.key == "events" && r.past.local, r.subject.failed != "", p.key == "notifications", p.key == "admin":
		r.arrive(r.ctx)
	}
}

// forget drops what pages have of another user.
func (r *Root) forget() {
	r.asked++
	r.feed, r.past, r.subject, r.boards, r.acting, r.test, r.wishes, r.device = feedPage{}, historyPage{}, subjectPage{}, boardsPage{}, actingPage{}, testPage{}, notifyPage{}, settingsPage{}
	r.watching.forget()
	if r.dialog != nil {
		r.close()
	}
}

func (r *Root) status() ui.Status { return ui.Status{View: r.state.View, Now: r.now} }

// actions act on the connection without waiting for it.
func (r *Root) actions() ui.Actions {
	with := func(do func(*wasmclient.Client)) func() { return func() { r.Live.WithClient(do) } }
	return ui.Actions{
		Connect: with((*wasmclient.Client).Connect), Disconnect: with((*wasmclient.Client).Disconnect),
		Pause: with((*wasmclient.Client).Pause), Resume: with((*wasmclient.Client).Resume),
		SignIn: func() { go r.Live.Reauthenticate(context.Background()) }, Reload: reload,
		CopyReport: func() { r.copied(r.Live.Report()) },
	}
}

// copied notes that the report was copied, and copies it.
func (r *Root) copied(report string) {
	r.reported = true
	device.Copy(report)
}

// dismiss takes a toast away; the focus that was on it goes back to where it was
// before.
func (r *Root) dismiss(t toast.Toast) {
	if at := active(); at.Truthy() && at.Call("getAttribute", "data-key").Truthy() && r.before != nil && r.before.Truthy() {
		r.before.Call("focus")
	}
	r.Live.UpdateToasts(func(q *toast.Queue, now time.Time) { q.Dismiss(now, t.Key) })
}

// MaxToasts is how many toasts there is room for.
func MaxToasts(narrow bool) int {
	if narrow {
		return 2
	}
	return 3
}

// holdToasts lets their clock stand while the pointer or the focus is on them.
func (r *Root) holdToasts() {
	r.Live.UpdateToasts(func(q *toast.Queue, now time.Time) {
		if device.Held("#toasts") {
			q.Hold(now)
		} else {
			q.Release(now)
		}
	})
}

// do runs what waits for the broker beside the page; done is told how it went,
// on the UI goroutine.
func (r *Root) do(work func(ctx context.Context) error, done func(err error)) {
	asked := r.asked
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		defer cancel()
		err := work(ctx)
		r.ctx.Dispatch(func(app.Context) {
			if asked == r.asked { // by the same user, of the same rights
				done(err)
			}
		})
	}()
}

// askTime bounds how long a page waits for an answer.
const askTime = 20 * time.Second
