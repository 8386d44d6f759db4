package pages

import (
	"context"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
)

// signIn is the page for who is not signed in.
func (r *Root) signIn() app.UI {
	// In a place of its own: what comes after it keeps its position, and so
	// what was typed.
	failure := app.Div().Body(app.If(r.state.Failure != "", func() app.UI { return app.P().Class("banner", "banner-denied").Role("alert").Text(r.state.Failure) }))
	switch r.state.SignIn {
	case "password":
		return app.Div().Class("page", "sign-in", "sign-in-narrow").Body(app.H1().Text(text.Of("sign_in.title")), failure, r.passwordForm())
	case "provider":
		return app.Div().Class("page", "sign-in", "sign-in-narrow").Body(app.H1().Text(text.Of("sign_in.title")), failure,
			app.P().Class("lead").Text(text.Of("sign_in.provider")))
	}
	return app.Div().Class("page", "sign-in").Body(
		app.H1().Text(text.Of("sign_in.title")),
		app.P().Class("lead").Text(text.Of("sign_in.demo")),
		failure, r.demoUsers())
}

func (r *Root) demoUsers() app.UI {
	users := r.state.Users
	return app.Ul().Class("users").Body(app.Range(users).Slice(func(i int) app.UI {
		name := users[i]
		return app.Li().Body(app.Button().Type("button").Class("card", "user-card").DataSet("user", name).Body(
			app.Strong().Text(text.Label(name)), app.Span().Text(text.Of("who."+name))).
			OnClick(func(app.Context, app.Event) { go r.Live.SignIn(context.Background(), name, "") }, app.EventScope(name)))
	}))
}

// The fields of the sign-in keep their values themselves, so that password
// managers can fill them in.
const (
	userID     = "sign-in-user"
	passwordID = "sign-in-password"
)

func (r *Root) passwordForm() app.UI {
	return app.Form().Class("card", "form").OnSubmit(func(_ app.Context, e app.Event) {
		e.PreventDefault()
		value := func(id string) string { return app.Window().GetElementByID(id).Get("value").String() }
		go r.Live.SignIn(context.Background(), value(userID), value(passwordID))
	}).Body(
		app.Label().For(userID).Text(text.Of("sign_in.name")),
		app.Input().ID(userID).Type("text").Name("username").Attr("autocomplete", "username").Attr("autocapitalize", "none").Required(true).AutoFocus(true),
		app.Label().For(passwordID).Text(text.Of("sign_in.password")),
		app.Input().ID(passwordID).Type("password").Name("password").Attr("autocomplete", "current-password").Required(true),
		app.Button().Type("submit").Class("button", "button-primary").Text(text.Of("sign_in")))
}
