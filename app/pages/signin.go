package pages

import (
	"context"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/problem"
)

// signIn is the page for who is not signed in.
func (r *Root) signIn() app.UI {
	// In a place of its own: what comes after it keeps its position, and so
	// what was typed.
	words := r.state.Failure
	if w := r.state.Warning; w != nil && words == "" {
		words = w.Sentence()
	}
	failure := ui.Slot(words != "", func() app.UI { return ui.TextEl("p", "banner banner-denied", words).Role("alert") })
	switch r.state.SignIn {
	case "password":
		return ui.El("div", "page sign-in sign-in-narrow", ui.TextEl("h1", "", text.Of("sign_in.title")), failure, r.passwordForm())
	case "provider":
		return ui.El("div", "page sign-in sign-in-narrow", ui.TextEl("h1", "", text.Of("sign_in.title")), failure,
			ui.TextEl("p", "lead", text.Of("sign_in.provider")), r.providerButton())
	}
	return ui.El("div", "page sign-in", ui.TextEl("h1", "", text.Of("sign_in.title")),
		ui.TextEl("p", "lead", text.Of("sign_in.demo")),
		failure, r.demoUsers())
}

// providerButton renders a button that reloads the page, so that a gateway or a provider may sign the user in. After a
// sign-out that could not work, the button keeps the user signed in.
func (r *Root) providerButton() app.UI {
	label, do := "sign_in.again", reload
	if w := r.state.Warning; w != nil && w.Code == problem.CodeStillSignedIn {
		label, do = "sign_in.stay", func() { go r.Live.Reauthenticate(context.Background()) }
	}
	return ui.El("div", "buttons", ui.Button("button button-primary", text.Of(label)).ID("sign-in-again").
		OnClick(func(app.Context, app.Event) { do() }, app.EventScope(label)))
}

// reload loads the page anew.
func reload() { app.Window().Get("location").Call("reload") }

func (r *Root) demoUsers() app.UI {
	users := r.state.Users
	return ui.El("ul", "users", ui.Each(len(users), func(i int) app.UI {
		name := users[i]
		return ui.El("li", "", ui.El("button", "card user-card", ui.TextEl("strong", "", text.Label(name)), ui.TextEl("span", "", text.Of("who."+name))).Attr("type", "button").DataSet("user", name).OnClick(func(app.Context, app.Event) { go r.Live.SignIn(context.Background(), name, "") }, app.EventScope(name)))
	}))
}

// The fields of the sign-in keep their values themselves, so that password
// managers can fill them in.
const (
	userID     = "sign-in-user"
	passwordID = "sign-in-password"
)

func (r *Root) passwordForm() app.UI {
	return ui.Submit("card form", ui.TextEl("label", "", text.Of("sign_in.name")).Attr("for", userID),
		ui.Input().ID(userID).Attr("type", "text").Attr("name", "username").Attr("autocomplete", "username").Attr("autocapitalize", "none").Attr("required", true).Attr("autofocus", true),
		ui.TextEl("label", "", text.Of("sign_in.password")).Attr("for", passwordID),
		ui.Input().ID(passwordID).Attr("type", "password").Attr("name", "password").Attr("autocomplete", "current-password").Attr("required", true),
		ui.TextEl("button", "button button-primary", text.Of("sign_in")).Attr("type", "submit")).OnSubmit(func(_ app.Context, e app.Event) {
		e.PreventDefault()
		value := func(id string) string { return app.Window().GetElementByID(id).Get("value").String() }
		go r.Live.SignIn(context.Background(), value(userID), value(passwordID))
	})
}
