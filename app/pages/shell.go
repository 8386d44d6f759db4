package pages

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/wasmclient"
)

// Render implements app.Composer. The places of header, main and the live
// regions are fixed: go-app tells children apart by their position.
func (r *Root) Render() app.UI {
	return ui.El("div", "", ui.Link("skip", "#main", text.Of("skip")).OnClick(func(ctx app.Context, e app.Event) {
		e.PreventDefault() // go-app's router would take it
		ctx.Defer(focusMain)
	}),
		r.header(),
		ui.El("div", "frame", r.navigation(),
			ui.El("main", "", r.banners(), r.body()).ID("main").TabIndex(-1).DataSet("page", r.pattern()),
		),
		r.dialogHost(),
		ui.Toasts(r.state.View.Toasts, r.state.View.More, r.dismiss, r.holdToasts),
		ui.TextEl("div", "visually-hidden", r.says[0]).Role("status").Aria("live", "polite"),
		ui.TextEl("div", "visually-hidden", r.says[1]).Role("alert").Aria("live", "assertive"),
	).ID("root")
}

// announcement is what screen readers hear of the connection: its state, when
// it changes.
func (r *Root) announcement() string {
	if r.state.Phase != live.SignedIn {
		return ""
	}
	return ui.StatusText(r.state.View.Status)
}

// pattern names the page, by its path pattern; the sign-in stands before all.
func (r *Root) pattern() string {
	p := r.find()
	switch {
	case r.path == "" || r.state.Phase == live.Loading:
		return "loading"
	case r.state.Phase == live.SignedOut:
		return "sign-in"
	case p == nil || r.missing():
		return "not-found"
	}
	return p.pattern
}

func (r *Root) header() app.UI {
	signedIn := r.state.Phase == live.SignedIn
	return ui.El("header", "header", ui.El("a", "brand", ui.El("span", "brand-mark").Aria("hidden", "true"), ui.TextEl("span", "", "Yardline")).Attr("href", "/"),
		ui.El("div", "header-end", ui.If(signedIn, func() app.UI { return r.status().Compact() }),
			ui.If(signedIn, func() app.UI {
				return ui.El("div", "user", ui.TextEl("span", "user-name", userName(r.state.User)),
					ui.Button("button button-small button-quiet", text.Of("sign_out")).ID("sign-out").OnClick(func(app.Context, app.Event) { go r.Live.SignOut(context.Background()) }),
				)
			}),
		),
	)
}

// userName returns the name of a user as people read it. An identity provider may name nobody: then it is the id.
func userName(u wasmclient.User) string {
	if u.Name == "" {
		return u.ID
	}
	return text.Label(u.Name)
}

// onBar is how many pages stand on the bar of a small screen, beside More.
const onBar = 4

// navigation is a rail beside the page, and a bar under it on small screens.
func (r *Root) navigation() app.UI {
	var first, rest []*page
	for i := range sitemap {
		if p := &sitemap[i]; p.menu && p.open(r.state.User.Grant()) {
			if len(first) < onBar {
				first = append(first, p)
			} else {
				rest = append(rest, p)
			}
		}
	}
	class := "nav-rest"
	if r.more {
		class += " nav-open"
	}
	current := false
	for _, p := range rest {
		current = current || p == r.find()
	}
	return ui.El("nav", "nav", ui.If(r.state.Phase == live.SignedIn, func() app.UI {
		return ui.El("div", "", ui.El("ul", "nav-first", r.links(first),
			ui.El("li", "nav-more", ui.El("button", "nav-link", ui.El("span", "nav-icon nav-icon-more").Aria("hidden", "true"), ui.TextEl("span", "", text.Of("nav.more"))).Attr("type", "button").ID("more").Aria("expanded", r.more).Aria("controls", "nav-rest").DataSet("current", current).OnClick(func(app.Context, app.Event) { r.more = !r.more }))),
			ui.El("ul", "", r.links(rest)).ID("nav-rest").Class(class))
	})).Aria("label", text.Of("nav"))
}

func (r *Root) links(pages []*page) app.UI {
	unsent := r.state.View.Unsent() + r.state.View.Rejected()
	return ui.Each(len(pages), func(i int) app.UI {
		p := pages[i]
		link := ui.El("a", "nav-link", ui.El("span", "").Class("nav-icon", "nav-icon-"+p.key).Aria("hidden", "true"),
			ui.TextEl("span", "", text.Of("page."+p.key)),
			ui.If(p.key == "outbox" && unsent > 0, func() app.UI { return ui.TextEl("span", "chip chip-warning", text.Number(unsent)) })).Attr("href", p.pattern)
		if at := r.find(); at != nil && (at == p || !at.menu && len(p.pattern) > 1 && len(r.path) > len(p.pattern) && r.path[:len(p.pattern)+1] == p.pattern+"/") {
			link = link.Aria("current", "page")
		}
		return ui.El("li", "", link)
	})
}

func (r *Root) banners() app.UI {
	signedIn := r.state.Phase == live.SignedIn
	return ui.El("div", "banners", ui.Slot(r.update, func() app.UI {
		return ui.El("div", "banner", ui.TextEl("span", "banner-text", text.Of("update")),
			ui.Button("button button-small", text.Of("reload")).OnClick(func(app.Context, app.Event) { app.Window().Call("goappApplyUpdate") }))
	}),
		ui.Slot(signedIn && r.path != "/sse-test", func() app.UI { return r.status().Banner(r.actions()) }),
		ui.Slot(signedIn && !r.state.Gap.IsZero(), func() app.UI {
			return ui.El("div", "banner", ui.TextEl("span", "banner-text", text.Of("banner.gap", text.When(r.state.Gap, r.now))),
				ui.Button("button button-small", text.Of("dismiss")).OnClick(func(app.Context, app.Event) { r.Live.DismissGap() })).DataSet("gap", "shown")
		}),
		ui.Slot(signedIn && r.state.View.Lost > 0, func() app.UI {
			return ui.El("div", "banner banner-denied",
				ui.TextEl("span", "banner-text", text.Count("banner.lost", r.state.View.Lost)),
				ui.Button("button button-small", text.Of("dismiss")).
					OnClick(func(app.Context, app.Event) { r.Live.WithClient((*wasmclient.Client).LostRead) })).
				DataSet("lost", "shown")
		}),
		ui.Slot(r.state.View.Unsaved, func() app.UI {
			return ui.El("div", "banner banner-limited", ui.TextEl("span", "banner-text", text.Of("banner.storage")))
		}),
		ui.Slot(r.state.View.Rejected() > 0 && r.path != "/outbox" && r.path != "/sse-test", func() app.UI {
			return ui.El("div", "banner banner-denied", ui.TextEl("span", "banner-text", text.Of("banner.rejected")),
				ui.Link("button button-small", "/outbox", text.Of("decide")))
		}),
		ui.Slot(r.state.Failure != "" && signedIn, func() app.UI {
			return ui.TextEl("div", "banner banner-denied", r.state.Failure).Role("alert")
		}),
	)
}

func (r *Root) body() app.UI {
	switch p := r.find(); {
	case r.path == "" || r.state.Phase == live.Loading:
		return Waiting()
	case r.state.Phase == live.Failed:
		return r.failed()
	case r.state.Phase == live.SignedOut:
		return r.signIn()
	case p == nil || r.missing():
		return ui.El("div", "page", ui.TextEl("h1", "", text.Of("not_found")),
			ui.El("p", "", app.Text(text.Of("not_found.text")+" "), ui.Link("", "/", text.Of("not_found.go"))))
	default:
		return app.Elem("y-" + p.key).Class("page-host").Body(p.render(r)) // by its tag, so that no page is given another's controls
	}
}

// failed renders the page while the session is unknown.
func (r *Root) failed() app.UI {
	words := "failed.text"
	if r.state.GatewaySignIn {
		words = "failed.login"
	}
	return ui.El("div", "page", ui.TextEl("h1", "", text.Of("failed")), ui.TextEl("p", "", text.Of(words)),
		ui.El("div", "buttons", ui.If(r.state.GatewaySignIn, func() app.UI {
			return ui.Button("button button-primary", text.Of("sign_in")).ID("sign-in-again").
				OnClick(func(app.Context, app.Event) { reload() })
		})))
}

// page is a page's frame: its name, and as of when it is where that is not now.
func (r *Root) page(title string, children ...app.UI) app.UI {
	asOf, class := r.asOf(), "page"
	if !asOf.IsZero() {
		class += " page-outdated"
	}
	head := ui.El("div", "page-head", ui.TextEl("h1", "", title),
		ui.If(!asOf.IsZero(), func() app.UI {
			return ui.TextEl("p", "as-of", text.Of("as_of", text.When(asOf, r.now)))
		}))
	return ui.El("div", "").Class(class).Body(append([]app.UI{head}, children...)...)
}

// asOf is when what is shown was true, zero where it is live.
func (r *Root) asOf() time.Time {
	v := r.state.View
	if v.Connected {
		return time.Time{}
	}
	if !v.AsOf.IsZero() {
		return v.AsOf
	}
	return v.Status.Since
}

// unknown tells that nothing has come yet, now or in an earlier visit.
func (r *Root) unknown() bool { return r.state.View.Figures == nil }

// Waiting is the page before anything is known. It is also the shell's, so
// that loading looks like the app from the first paint.
func Waiting() app.UI {
	return ui.El("div", "page waiting", waitingFigures(), ui.El("div", "card skeleton skeleton-tall")).Aria("busy", "true")
}

// waitingFigures take as much room as most readers' figures will, so that nothing
// moves when they come.
func waitingFigures() app.UI {
	return ui.El("div", "figures", ui.Each(11, func(int) app.UI { return ui.El("div", "card figure skeleton") })).Aria("busy", "true")
}

// nothingKnown stands where the broker has not answered yet, and nothing is kept
// of an earlier visit.
func nothingKnown() app.UI { return ui.Empty(text.Of("unknown"), text.Of("unknown.text")) }
