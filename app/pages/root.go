// Package pages holds the app's pages, one file a page, and the shell around
// them.
package pages

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Root is the whole app: the shell, which stays, and the page of the path.
// go-app keeps it over navigations, since every path has the same type.
type Root struct {
	app.Compo
	Live *live.Live

	state  live.State
	path   string
	update bool // a new version waits
	leave  func()
	unkey  func()
	polite toast.Announcer // of what screen readers hear
	urgent toast.Announcer
	says   [2]string     // polite, urgent
	stop   chan struct{} // ends the clock
	test   testPage

	reported bool      // the report was copied
	before   app.Value // what had the focus before the toasts
}

// page is one entry of the navigation.
type page struct {
	path, label, title string
	icon               string
	render             func(*Root) app.UI
}

var sitemap = []page{
	{"/", "Dashboard", "Dashboard", "dashboard", (*Root).dashboard},
	{"/sse-test", "Event test", "Event test", "test", (*Root).sseTest},
}

// OnMount implements app.Mounter.
func (r *Root) OnMount(ctx app.Context) {
	r.leave = r.Live.Subscribe(func() { ctx.Dispatch(r.refresh) })
	r.unkey = onKey(r.keys)
	r.stop = make(chan struct{})
	go r.tick(ctx, r.stop)
	go r.Live.Start(context.Background())
	r.refresh(ctx)
}

// tick moves the countdowns, while there are any.
func (r *Root) tick(ctx app.Context, stop chan struct{}) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-second.C:
			ctx.Dispatch(func(ctx app.Context) {
				said := r.says
				r.refresh(ctx) // something may wait to be said
				if r.says == said && r.state.View.Status.RetryAt.IsZero() {
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
	moved := r.path != "" && r.path != ctx.Page().URL().Path
	r.path = ctx.Page().URL().Path
	title := "Not found"
	if p := r.find(); p != nil {
		title = p.title
	}
	ctx.Page().SetTitle("%s · Yardline", title)
	if moved { // go-app moves neither focus nor scroll
		ctx.Defer(focusMain)
	}
}

// focusMain brings keyboard and screen to the start of the page.
func focusMain(app.Context) {
	app.Window().GetElementByID("main").Call("focus")
	app.Window().Call("scrollTo", 0, 0)
}

// OnAppUpdate implements app.AppUpdater.
func (r *Root) OnAppUpdate(app.Context) { r.update = true }

// refresh takes what there is to show.
func (r *Root) refresh(app.Context) {
	r.state = r.Live.State()
	now := time.Now()
	r.says = [2]string{r.polite.Say(now, r.announcement()+r.spoken(false)), r.urgent.Say(now, r.spoken(true))}
}

func (r *Root) find() *page {
	for i := range sitemap {
		if sitemap[i].path == r.path {
			return &sitemap[i]
		}
	}
	return nil
}

// announcement is what screen readers hear of the connection: its state, when
// it changes.
func (r *Root) announcement() string {
	if r.state.Phase != live.SignedIn {
		return ""
	}
	return ui.Words(r.state.View.Status)
}

// Render implements app.Composer. The places of header, main and the live
// regions are fixed: go-app tells children apart by their position.
func (r *Root) Render() app.UI {
	return app.Div().ID("root").Body(
		app.A().Class("skip").Href("#main").Text("Skip to content").OnClick(func(ctx app.Context, e app.Event) {
			e.PreventDefault() // go-app's router would take it
			ctx.Defer(focusMain)
		}),
		r.header(),
		app.Div().Class("frame").Body(
			r.navigation(),
			app.Main().ID("main").TabIndex(-1).DataSet("page", r.pattern()).Body(r.banners(), r.body()),
		),
		ui.Toasts(r.state.View.Toasts, r.state.View.More, r.dismiss, r.holdToasts),
		app.Div().Class("hidden").Role("status").Aria("live", "polite").Text(r.says[0]),
		app.Div().Class("hidden").Role("alert").Aria("live", "assertive").Text(r.says[1]),
	)
}

// spoken is the newest toast, of errors or of the rest.
func (r *Root) spoken(errors bool) string {
	for i := len(r.state.View.Toasts) - 1; i >= 0; i-- {
		if t := r.state.View.Toasts[i]; (t.Severity == event.Error) == errors {
			return " " + t.Text
		}
	}
	return ""
}

// pattern names the page, by its path pattern; the sign-in stands before all.
func (r *Root) pattern() string {
	switch {
	case r.path == "" || r.state.Phase == live.Loading:
		return "loading"
	case r.state.Phase == live.SignedOut:
		return "sign-in"
	case r.find() == nil:
		return "not-found"
	}
	return r.path
}

func (r *Root) header() app.UI {
	signedIn := r.state.Phase == live.SignedIn
	return app.Header().Class("header").Body(
		app.A().Class("brand").Href("/").Body(app.Span().Class("brand-mark").Aria("hidden", "true"), app.Span().Text("Yardline")),
		app.Div().Class("header-end").Body(
			app.If(signedIn, func() app.UI { return r.status().Compact() }),
			app.If(signedIn, func() app.UI {
				return app.Div().Class("user").Body(
					app.Span().Class("user-name").Text(ui.Label(r.state.User.Name)),
					app.Button().Type("button").Class("button", "button-small", "button-quiet").ID("sign-out").Text("Sign out").
						OnClick(func(app.Context, app.Event) { go r.Live.SignOut(context.Background()) }),
				)
			}),
		),
	)
}

func (r *Root) navigation() app.UI {
	return app.Nav().Class("nav").Aria("label", "Pages").Body(app.If(r.state.Phase == live.SignedIn, func() app.UI {
		return app.Ul().Body(app.Range(sitemap).Slice(func(i int) app.UI {
			p := sitemap[i]
			link := app.A().Href(p.path).Class("nav-link").Body(app.Span().Class("nav-icon", "nav-icon-"+p.icon).Aria("hidden", "true"), app.Span().Text(p.label))
			if p.path == r.path {
				link = link.Aria("current", "page")
			}
			return app.Li().Body(link)
		}))
	}))
}

func (r *Root) banners() app.UI {
	return app.Div().Class("banners").Body(
		app.If(r.update, func() app.UI {
			return app.Div().Class("banner").Body(app.Span().Class("banner-text").Text("Update ready."),
				app.Button().Type("button").Class("button", "button-small").Text("Reload").OnClick(func(app.Context, app.Event) { app.Window().Call("goappApplyUpdate") }))
		}),
		app.If(r.state.Phase == live.SignedIn && r.path != "/sse-test", func() app.UI { return r.status().Banner(r.actions()) }),
		app.If(r.state.View.Unsaved, func() app.UI {
			return app.Div().Class("banner", "banner-limited").Body(app.Span().Class("banner-text").Text("This browser’s storage is full or blocked. Nothing is kept for offline use, and what is not sent yet is lost when this tab closes. (storage)"))
		}),
		app.If(r.state.View.Rejected() > 0 && r.path != "/sse-test", func() app.UI {
			return app.Div().Class("banner", "banner-denied").Body(app.Span().Class("banner-text").Text("The broker refused something that you wrote."),
				app.A().Class("button", "button-small").Href("/sse-test").Text("Decide"))
		}),
		app.If(r.state.Failure != "" && r.state.Phase == live.SignedIn, func() app.UI {
			return app.Div().Class("banner", "banner-denied").Role("alert").Text(r.state.Failure)
		}),
	)
}

func (r *Root) body() app.UI {
	switch p := r.find(); {
	case r.path == "" || r.state.Phase == live.Loading:
		return Waiting()
	case r.state.Phase == live.Failed:
		return app.Div().Class("page").Body(app.H1().Text("The broker cannot be reached"),
			app.P().Text("Yardline is trying again every few seconds. Nothing is lost: what happens meanwhile comes as soon as it is back."))
	case r.state.Phase == live.SignedOut:
		return r.signIn()
	case p == nil:
		return app.Div().Class("page").Body(app.H1().Text("There is nothing here"),
			app.P().Body(app.Text("The address may be mistyped, or the page has moved. "), app.A().Href("/").Text("Go to the dashboard")))
	default:
		return p.render(r)
	}
}

// Waiting is the page before anything is known. It is also the shell's, so
// that loading looks like the app from the first paint.
func Waiting() app.UI {
	return app.Div().Class("page", "waiting").Aria("busy", "true").Body(
		app.Div().Class("figures").Body(app.Range(make([]struct{}, 4)).Slice(func(int) app.UI { return app.Div().Class("card", "figure", "skeleton") })))
}

func (r *Root) status() ui.Status { return ui.Status{View: r.state.View, Now: time.Now()} }

// actions act on the connection without waiting for it.
func (r *Root) actions() ui.Actions {
	with := func(do func(*wasmclient.Client)) func() { return func() { r.Live.With(do) } }
	return ui.Actions{
		Connect: with((*wasmclient.Client).Connect), Disconnect: with((*wasmclient.Client).Disconnect),
		Pause: with((*wasmclient.Client).Pause), Resume: with((*wasmclient.Client).Resume),
		SignIn: func() { go r.Live.SignInAgain(context.Background()) }, Copy: func() { r.copied(r.Live.Report()) },
	}
}

// copied puts a text into the clipboard, or selects it where the page may not:
// browsers keep the clipboard from plain addresses.
func (r *Root) copied(text string) {
	r.reported = true
	if clipboard := app.Window().Get("navigator").Get("clipboard"); clipboard.Truthy() {
		clipboard.Call("writeText", text)
		return
	}
	area := app.Window().GetElementByID(reportID)
	area.Set("value", text)
	area.Call("select")
	app.Window().Get("document").Call("execCommand", "copy")
}

const reportID = "report"

func (r *Root) dismiss(t toast.Toast) {
	r.Live.Toasts(func(q *toast.Queue, now time.Time) { q.Dismiss(now, t.Key) })
}

func (r *Root) holdToasts(on bool) {
	r.Live.Toasts(func(q *toast.Queue, now time.Time) {
		if on {
			q.Hold(now)
		} else {
			q.Release(now)
		}
	})
}

// onKey listens to the keys of the whole page, wherever the focus is.
func onKey(pressed func(app.Value)) (stop func()) {
	f := app.FuncOf(func(_ app.Value, args []app.Value) any {
		pressed(args[0])
		return nil
	})
	app.Window().Call("addEventListener", "keydown", f)
	return func() {
		app.Window().Call("removeEventListener", "keydown", f)
		f.Release()
	}
}

// keys are the app's shortcuts: Alt+T brings the keyboard to the toasts, Escape
// dismisses the one that has it, else the newest.
func (r *Root) keys(e app.Value) {
	switch {
	case e.Get("altKey").Bool() && e.Get("code").String() == "KeyT":
		buttons := app.Window().Get("document").Call("querySelectorAll", ".toast-close")
		if n := buttons.Length(); n > 0 {
			e.Call("preventDefault")
			r.before = active()
			buttons.Index(n - 1).Call("focus") // the newest
		}
	case e.Get("key").String() == "Escape" && len(r.state.View.Toasts) > 0:
		r.escape()
	}
}

// active is what has the focus.
func active() app.Value { return app.Window().Get("document").Get("activeElement") }

// escape dismisses the toast that has the focus and gives that back, or the
// newest toast, unless somebody types.
func (r *Root) escape() {
	shown := r.state.View.Toasts
	key := active().Call("getAttribute", "data-key")
	if !key.Truthy() {
		if tag := active().Get("tagName").String(); tag != "TEXTAREA" && tag != "INPUT" {
			r.dismiss(shown[len(shown)-1])
		}
		return
	}
	for _, t := range shown {
		if t.Key == key.String() {
			r.dismiss(t)
		}
	}
	if r.before != nil && r.before.Truthy() {
		r.before.Call("focus")
	}
}
