package pages

import (
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/wasmclient"
)

// Render implements app.Composer. The positions of header, main and live regions must not change, because go-app
// identifies children by their position.
func (r *Root) Render() app.UI {
	h := &r.host
	skip := ui.Link("skip", "#main", text.Of("skip")).OnClick(func(ctx app.Context, e app.Event) {
		e.PreventDefault() // otherwise go-app's router handles the link
		ctx.Defer(focusMain)
	})
	main := ui.El("main", "", r.banners(), r.body()).
		ID("main").
		TabIndex(-1).
		DataSet("page", r.pageName())
	politeRegion := ui.TextEl("div", "visually-hidden", r.announced[0]).
		Role("status").
		Aria("live", "polite")
	assertiveRegion := ui.TextEl("div", "visually-hidden", r.announced[1]).
		Role("alert").
		Aria("live", "assertive")
	return ui.El("div", "",
		skip,
		r.header(),
		ui.El("div", "frame", r.navigation(), main),
		h.dialogElement(),
		ui.Toasts(h.state.View.Toasts, h.state.View.More, r.dismissToast, r.holdToasts),
		politeRegion,
		assertiveRegion,
	).ID("root")
}

// connectionAnnouncement returns the words about the connection that screen readers announce: its state, without the
// countdown.
func (r *Root) connectionAnnouncement() string {
	if !r.host.isSignedIn() {
		return ""
	}
	return ui.StatusText(r.host.state.View.Status)
}

// isMissing reports whether the path leads to no page, or to the page of a thing that does not exist.
func (r *Root) isMissing() bool {
	route := r.host.route()
	if route == nil {
		return true
	}
	p, ok := r.pages[route.key].(subjectPage)
	return ok && r.host.isSignedIn() && p.isMissing(&r.host)
}

// pageName returns the name of the shown page for tests: the pattern of its route, or the name of the page in its
// place.
func (r *Root) pageName() string {
	switch {
	case r.host.path == "" || r.host.state.Phase == live.Loading:
		return "loading"
	case r.host.state.Phase == live.SignedOut:
		return "sign-in"
	case r.isMissing():
		return "not-found"
	}
	return r.host.route().pattern
}

func (r *Root) header() app.UI {
	h := &r.host
	brand := ui.El("a", "brand",
		ui.El("span", "brand-mark").Aria("hidden", "true"),
		ui.TextEl("span", "", "Yardline"),
	).Attr("href", "/")
	status := ui.If(h.isSignedIn(), func() app.UI { return h.status().Compact() })
	user := ui.If(h.isSignedIn(), func() app.UI {
		signOut := ui.Button("button button-small button-quiet", text.Of("sign_out")).
			ID("sign-out").
			OnClick(func(app.Context, app.Event) { h.signOut() })
		return ui.El("div", "user",
			ui.TextEl("span", "user-name", userName(h.state.User)),
			signOut)
	})
	return ui.El("header", "header",
		brand,
		ui.El("div", "header-end", status, user))
}

// menuBarSize is the number of pages on the bar of a narrow window, beside the button that opens the others.
const menuBarSize = 4

// navigation renders a column beside the page, and a bar under the page in a narrow window.
func (r *Root) navigation() app.UI {
	h := &r.host
	var first, rest []*route
	restHasCurrent := false
	for i := range routes {
		route := &routes[i]
		switch {
		case !route.inMenu || !route.allows(h.grant()):
		case len(first) < menuBarSize:
			first = append(first, route)
		default:
			rest = append(rest, route)
			restHasCurrent = restHasCurrent || route == h.route()
		}
	}
	return ui.El("nav", "nav", ui.If(h.isSignedIn(), func() app.UI {
		restClass := "nav-rest"
		if r.menuOpen {
			restClass += " nav-open"
		}
		return ui.El("div", "",
			ui.El("ul", "nav-first",
				r.menuLinks(first),
				ui.El("li", "nav-more", r.menuButton(restHasCurrent))),
			ui.El("ul", restClass, r.menuLinks(rest)).ID("nav-rest"))
	})).Aria("label", text.Of("nav"))
}

// menuButton opens and closes the rest of the menu. current reports whether the rest has the page that is shown.
func (r *Root) menuButton(current bool) app.UI {
	return ui.El("button", "nav-link",
		ui.El("span", "nav-icon nav-icon-more").Aria("hidden", "true"),
		ui.TextEl("span", "", text.Of("nav.more")),
	).
		Attr("type", "button").
		ID("more").
		Aria("expanded", r.menuOpen).
		Aria("controls", "nav-rest").
		DataSet("current", current).
		OnClick(func(app.Context, app.Event) { r.menuOpen = !r.menuOpen })
}

func (r *Root) menuLinks(shown []*route) app.UI {
	h := &r.host
	unsent := h.state.View.Unsent() + h.state.View.Rejected()
	return ui.Each(len(shown), func(i int) app.UI {
		route := shown[i]
		icon := ui.El("span", "").
			Class("nav-icon", "nav-icon-"+route.key).
			Aria("hidden", "true")
		count := ui.If(route.key == "outbox" && unsent > 0, func() app.UI {
			return ui.TextEl("span", "chip chip-warning", text.Number(unsent))
		})
		link := ui.El("a", "nav-link",
			icon,
			ui.TextEl("span", "", text.Of("page."+route.key)),
			count,
		).Attr("href", route.pattern)
		if r.isCurrent(route) {
			link = link.Aria("current", "page")
		}
		return ui.El("li", "", link)
	})
}

// isCurrent reports whether the navigation marks a route: its page is shown, or a page below its path.
func (r *Root) isCurrent(of *route) bool {
	shown := r.host.route()
	if shown == nil || shown == of {
		return shown == of
	}
	return !shown.inMenu && len(of.pattern) > 1 && strings.HasPrefix(r.host.path, of.pattern+"/")
}

// banners renders the banners above the page. Each has a slot of its own.
func (r *Root) banners() app.UI {
	h := &r.host
	v, signedIn := h.state.View, h.isSignedIn()
	dismiss := func(press func()) app.UI { return ui.SmallButton(text.Of("dismiss"), press) }

	update := ui.Slot(r.updateWaits, func() app.UI {
		apply := func() { app.Window().Call("goappApplyUpdate") }
		return ui.Banner("banner", text.Of("update"), ui.SmallButton(text.Of("reload"), apply))
	})
	connection := ui.Slot(signedIn && h.path != "/sse-test", func() app.UI {
		return h.status().Banner(h.connectionActions())
	})
	gap := ui.Slot(signedIn && !h.state.Gap.IsZero(), func() app.UI {
		words := text.Of("banner.gap", text.When(h.state.Gap, h.now))
		return ui.Banner("banner", words, dismiss(h.live.DismissGap)).DataSet("gap", "shown")
	})
	lost := ui.Slot(signedIn && v.Lost > 0, func() app.UI {
		words := text.Count("banner.lost", v.Lost)
		read := h.withClient((*wasmclient.Client).AcknowledgeLost)
		return ui.Banner("banner banner-denied", words, dismiss(read)).DataSet("lost", "shown")
	})
	unsaved := ui.Slot(v.Unsaved, func() app.UI {
		return ui.Banner("banner banner-limited", text.Of("banner.storage"))
	})
	showsOutbox := h.path == "/outbox" || h.path == "/sse-test"
	rejected := ui.Slot(v.Rejected() > 0 && !showsOutbox, func() app.UI {
		decide := ui.Link("button button-small", "/outbox", text.Of("decide"))
		return ui.Banner("banner banner-denied", text.Of("banner.rejected"), decide)
	})
	failure := ui.Slot(h.state.Failure != "" && signedIn, func() app.UI {
		return ui.TextEl("div", "banner banner-denied", h.state.Failure).Role("alert")
	})
	return ui.El("div", "banners", update, connection, gap, lost, unsaved, rejected, failure)
}

// body renders the page of the path, or another page in its place.
func (r *Root) body() app.UI {
	h := &r.host
	switch {
	case h.path == "" || h.state.Phase == live.Loading:
		return ui.SkeletonPage()
	case h.state.Phase == live.Failed:
		return failedPage(h)
	case h.state.Phase == live.SignedOut:
		return signInPage(h)
	case r.isMissing():
		return ui.El("div", "page",
			ui.TextEl("h1", "", text.Of("not_found")),
			ui.El("p", "",
				app.Text(text.Of("not_found.text")+" "),
				ui.Link("", "/", text.Of("not_found.go"))))
	}
	key := h.route().key
	// Each page has a tag of its own, so that go-app never gives the controls of one page to another.
	return app.Elem("y-" + key).Class("page-host").Body(r.pages[key].render(h))
}

// failedPage renders the page while the app does not know the user, because the broker did not answer.
func failedPage(h *host) app.UI {
	words := "failed.text"
	if h.state.GatewaySignIn {
		words = "failed.login"
	}
	signIn := ui.If(h.state.GatewaySignIn, func() app.UI {
		return ui.Button("button button-primary", text.Of("sign_in")).
			ID("sign-in-again").
			OnClick(func(app.Context, app.Event) { reload() })
	})
	return ui.El("div", "page",
		ui.TextEl("h1", "", text.Of("failed")),
		ui.TextEl("p", "", text.Of(words)),
		ui.El("div", "buttons", signIn))
}
