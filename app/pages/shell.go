package pages

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
)

// Render implements app.Composer. The places of header, main and the live
// regions are fixed: go-app tells children apart by their position.
func (r *Root) Render() app.UI {
	return app.Div().ID("root").Body(
		app.A().Class("skip").Href("#main").Text(text.Of("skip")).OnClick(func(ctx app.Context, e app.Event) {
			e.PreventDefault() // go-app's router would take it
			ctx.Defer(focusMain)
		}),
		r.header(),
		app.Div().Class("frame").Body(
			r.navigation(),
			app.Main().ID("main").TabIndex(-1).DataSet("page", r.pattern()).Body(r.banners(), r.body()),
		),
		r.dialogHost(),
		ui.Toasts(r.state.View.Toasts, r.state.View.More, r.dismiss, r.holdToasts),
		app.Div().Class("hidden").Role("status").Aria("live", "polite").Text(r.says[0]),
		app.Div().Class("hidden").Role("alert").Aria("live", "assertive").Text(r.says[1]),
	)
}

// announcement is what screen readers hear of the connection: its state, when
// it changes.
func (r *Root) announcement() string {
	if r.state.Phase != live.SignedIn {
		return ""
	}
	return ui.Words(r.state.View.Status)
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
	return app.Header().Class("header").Body(
		app.A().Class("brand").Href("/").Body(app.Span().Class("brand-mark").Aria("hidden", "true"), app.Span().Text("Yardline")),
		app.Div().Class("header-end").Body(
			app.If(signedIn, func() app.UI { return r.status().Compact() }),
			app.If(signedIn, func() app.UI {
				return app.Div().Class("user").Body(
					app.Span().Class("user-name").Text(text.Label(r.state.User.Name)),
					app.Button().Type("button").Class("button", "button-small", "button-quiet").ID("sign-out").Text(text.Of("sign_out")).
						OnClick(func(app.Context, app.Event) { go r.Live.SignOut(context.Background()) }),
				)
			}),
		),
	)
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
	return app.Nav().Class("nav").Aria("label", text.Of("nav")).Body(app.If(r.state.Phase == live.SignedIn, func() app.UI {
		return app.Div().Body(
			app.Ul().Class("nav-first").Body(r.links(first),
				app.Li().Class("nav-more").Body(app.Button().Type("button").Class("nav-link").ID("more").Aria("expanded", r.more).Aria("controls", "nav-rest").DataSet("current", current).
					Body(app.Span().Class("nav-icon", "nav-icon-more").Aria("hidden", "true"), app.Span().Text(text.Of("nav.more"))).
					OnClick(func(app.Context, app.Event) { r.more = !r.more }))),
			app.Ul().ID("nav-rest").Class(class).Body(r.links(rest)))
	}))
}

func (r *Root) links(pages []*page) app.UI {
	unsent := r.state.View.Unsent() + r.state.View.Rejected()
	return app.Range(pages).Slice(func(i int) app.UI {
		p := pages[i]
		link := app.A().Href(p.pattern).Class("nav-link").Body(app.Span().Class("nav-icon", "nav-icon-"+p.key).Aria("hidden", "true"),
			app.Span().Text(text.Of("page."+p.key)),
			app.If(p.key == "outbox" && unsent > 0, func() app.UI { return app.Span().Class("chip", "chip-warning").Text(text.Number(unsent)) }))
		if at := r.find(); at != nil && (at == p || !at.menu && len(p.pattern) > 1 && len(r.path) > len(p.pattern) && r.path[:len(p.pattern)+1] == p.pattern+"/") {
			link = link.Aria("current", "page")
		}
		return app.Li().Body(link)
	})
}

func (r *Root) banners() app.UI {
	signedIn := r.state.Phase == live.SignedIn
	return app.Div().Class("banners").Body(
		app.Div().Body(app.If(r.update, func() app.UI {
			return app.Div().Class("banner").Body(app.Span().Class("banner-text").Text(text.Of("update")),
				app.Button().Type("button").Class("button", "button-small").Text(text.Of("reload")).OnClick(func(app.Context, app.Event) { app.Window().Call("goappApplyUpdate") }))
		})),
		app.Div().Body(app.If(signedIn && r.path != "/sse-test", func() app.UI { return r.status().Banner(r.actions()) })),
		app.Div().Body(app.If(r.state.View.Unsaved, func() app.UI {
			return app.Div().Class("banner", "banner-limited").Body(app.Span().Class("banner-text").Text(text.Of("banner.storage")))
		})),
		app.Div().Body(app.If(r.state.View.Rejected() > 0 && r.path != "/outbox" && r.path != "/sse-test", func() app.UI {
			return app.Div().Class("banner", "banner-denied").Body(app.Span().Class("banner-text").Text(text.Of("banner.rejected")),
				app.A().Class("button", "button-small").Href("/outbox").Text(text.Of("decide")))
		})),
		app.Div().Body(app.If(r.state.Failure != "" && signedIn, func() app.UI {
			return app.Div().Class("banner", "banner-denied").Role("alert").Text(r.state.Failure)
		})),
	)
}

func (r *Root) body() app.UI {
	switch p := r.find(); {
	case r.path == "" || r.state.Phase == live.Loading:
		return Waiting()
	case r.state.Phase == live.Failed:
		return app.Div().Class("page").Body(app.H1().Text(text.Of("failed")), app.P().Text(text.Of("failed.text")))
	case r.state.Phase == live.SignedOut:
		return r.signIn()
	case p == nil || r.missing():
		return app.Div().Class("page").Body(app.H1().Text(text.Of("not_found")),
			app.P().Body(app.Text(text.Of("not_found.text")+" "), app.A().Href("/").Text(text.Of("not_found.go"))))
	default:
		return app.Elem("y-" + p.key).Class("page-of").Body(p.render(r)) // by its tag, so that no page is given another's controls
	}
}

// page is a page's frame: its name, and as of when it is where that is not now.
func (r *Root) page(title string, children ...app.UI) app.UI {
	asOf, class := r.asOf(), "page"
	if !asOf.IsZero() {
		class += " page-past"
	}
	head := app.Div().Class("page-head").Body(app.H1().Text(title),
		app.If(!asOf.IsZero(), func() app.UI {
			return app.P().Class("as-of").Text(text.Of("as_of", text.When(asOf, r.now)))
		}))
	return app.Div().Class(class).Body(append([]app.UI{head}, children...)...)
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
	return app.Div().Class("page", "waiting").Aria("busy", "true").Body(
		app.Div().Class("figures").Body(app.Range(make([]struct{}, 4)).Slice(func(int) app.UI { return app.Div().Class("card", "figure", "skeleton") })),
		app.Div().Class("card", "skeleton", "skeleton-tall"))
}

// nothingKnown stands where the broker has not answered yet, and nothing is kept
// of an earlier visit.
func nothingKnown() app.UI { return ui.Empty(text.Of("unknown"), text.Of("unknown.text")) }
