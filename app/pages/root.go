package pages

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Root is the component of the whole app: it routes to the pages and renders the shell around them. Every path has a
// component of this type, so that go-app keeps the first one over navigations.
type Root struct {
	app.Compo

	host  host
	pages map[string]page // by the key of their route

	unsubscribe       func() // stops the calls of refresh after changes of the state
	removeKeyListener func()

	updateWaits bool      // the browser has loaded a new version of the app
	menuOpen    bool      // the menu of a narrow window shows all pages
	chordBegan  time.Time // when the user pressed g; zero after the chord
	announcer   announcer
	announced   [2]string // the texts of the live regions: the polite one and the assertive one

	focusBeforeToasts app.Value // had the focus before the user moved it to the toasts; nil for none
}

// NewRoot returns the component of the app for a bridge to the broker.
func NewRoot(l *live.Live) *Root {
	return &Root{host: host{live: l}, pages: newPages()}
}

// OnMount implements app.Mounter.
func (r *Root) OnMount(ctx app.Context) {
	h := &r.host
	h.ctx = ctx
	h.stop = make(chan struct{})
	r.unsubscribe = h.live.Subscribe(func() { ctx.Dispatch(r.refresh) })
	r.removeKeyListener = addKeyListener(func(e app.Value) { r.handleKey(ctx, e) })
	device.OnWorker(func(path string) { ctx.Dispatch(func(ctx app.Context) { navigate(ctx, path) }) })
	h.narrow = device.Narrow(func(narrow bool) {
		ctx.Dispatch(func(app.Context) { h.narrow = narrow })
		h.live.UpdateToasts(func(q *toast.Queue, now time.Time) { q.SetMax(now, MaxToasts(narrow)) })
	})
	go r.tick(ctx, h.stop)
	go h.live.Start(context.Background())
	r.refresh(ctx)
}

// tick refreshes the app every second until stop is closed. It renders only if something depends on the time: a
// countdown, the words that say how long ago something was (every 30 s), an announcement that waited, or buttons that
// waited.
func (r *Root) tick(ctx app.Context, stop chan struct{}) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n := 1; ; n++ {
		select {
		case <-second.C:
			relativeTimesDue := n%30 == 0
			ctx.Dispatch(func(ctx app.Context) {
				announced := r.announced
				r.refresh(ctx)
				if len(r.host.state.View.Toasts) > 0 {
					r.holdToasts() // no event says that the element with the focus is gone
				}
				countsDown := !r.host.state.View.Status.RetryAt.IsZero()
				if r.announced == announced && !countsDown && !relativeTimesDue && !r.host.hasRecentActions() {
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
	r.unsubscribe()
	r.removeKeyListener()
	close(r.host.stop)
}

// OnNav implements app.Navigator.
func (r *Root) OnNav(ctx app.Context) {
	h := &r.host
	url := ctx.Page().URL()
	pathChanged := h.path != "" && h.path != url.EscapedPath()
	h.path, h.query = url.EscapedPath(), url.RawQuery
	r.menuOpen = false
	r.setTitle(ctx)
	if pathChanged { // go-app moves neither the focus nor the scroll position
		h.closeDialog()
		ctx.Defer(focusMain)
	}
	r.openPage()
}

// openPage passes the arrival pageOpened to the page of the path.
func (r *Root) openPage() {
	if p := r.shownPage(); p != nil {
		p.arrive(&r.host, pageOpened)
	}
}

// shownPage returns the page of the path, or nil if there is none or nobody is signed in.
func (r *Root) shownPage() page {
	if route := r.host.route(); route != nil && r.host.isSignedIn() {
		return r.pages[route.key]
	}
	return nil
}

// arriveAtAll passes an arrival to every page.
func (r *Root) arriveAtAll(a arrival) {
	for _, p := range r.pages {
		p.arrive(&r.host, a)
	}
}

func (r *Root) setTitle(ctx app.Context) {
	name := text.Of("not_found.title")
	if route := r.host.route(); route != nil {
		name = text.Of("page." + route.key)
		if id := r.host.id(); id != "" {
			name = text.Of("page."+route.key+".of", id)
		}
	}
	ctx.Page().SetTitle(name + " · Yardline")
}

// focusMain moves the focus and the scroll position to the start of the page.
func focusMain(app.Context) {
	app.Window().GetElementByID("main").Call("focus")
	app.Window().Call("scrollTo", 0, 0)
}

// OnAppUpdate implements app.AppUpdater.
func (r *Root) OnAppUpdate(app.Context) { r.updateWaits = true }

// OnAppInstallChange implements app.AppInstaller. go-app renders after the call, and the settings ask it then whether
// the app can be installed.
func (r *Root) OnAppInstallChange(app.Context) {}

// refresh copies the state of the bridge into the host, and passes the changes to the pages.
func (r *Root) refresh(ctx app.Context) {
	h := &r.host
	phase, grant, connected := h.state.Phase, h.grant().ID(), h.state.View.Connected
	h.state = h.live.State()
	if !connected && h.state.View.Connected {
		h.live.HandleBrokerBack()
		r.arriveAtAll(brokerReachable)
		app.TryUpdate() // the broker may serve another version of the app
	}
	h.now = time.Now()
	text.SetCurrency(h.state.View.Currency)
	r.announced = r.announcer.announce(h.now, r.connectionAnnouncement(), h.state.View.Toasts)
	r.arriveAtAll(stateChanged)
	keepFocus(ctx)
	r.reloadForGateway()
	if h.state.Phase != phase || h.grant().ID() != grant {
		r.forget()
		r.setTitle(ctx)
		r.openPage()
	}
}

// reloadForGateway reloads the page when a gateway asks for another sign-in, so that the gateway can show its page. It
// does so once in a while, and only when the reload loses nothing.
func (r *Root) reloadForGateway() {
	v := r.host.state.View
	losesNothing := v.Unsent() == 0 && v.Rejected() == 0 && !device.Typed()
	if r.host.state.GatewaySignIn && losesNothing && device.FirstReload(time.Now()) {
		reload()
	}
}

// forget drops everything that the pages and the host hold of a user.
func (r *Root) forget() {
	h := &r.host
	h.userSerial++
	h.publishedAt = nil
	for _, p := range r.pages {
		p.forget()
	}
	if h.dialog != nil {
		h.closeDialog()
	}
}
