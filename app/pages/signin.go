package pages

import (
	"context"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/problem"
)

// signInPage renders the page for a user who is not signed in.
func signInPage(h *host) app.UI {
	title := ui.TextEl("h1", "", text.Of("sign_in.title"))
	// The slot of the message keeps the fields after it at their positions, and so the typed text.
	message := ui.Message("banner banner-denied", "alert", signInMessage(h))
	switch h.state.SignIn {
	case "password":
		return ui.El("div", "page sign-in sign-in-narrow", title, message, passwordForm(h))
	case "provider":
		lead := ui.TextEl("p", "lead", text.Of("sign_in.provider"))
		return ui.El("div", "page sign-in sign-in-narrow", title, message, lead, providerButton(h))
	}
	lead := ui.TextEl("p", "lead", text.Of("sign_in.demo"))
	return ui.El("div", "page sign-in", title, lead, message, demoUsers(h))
}

// signInMessage returns why the last sign-in failed, or the warning of the broker, or "".
func signInMessage(h *host) string {
	if w := h.state.Warning; w != nil && h.state.Failure == "" {
		return w.Sentence()
	}
	return h.state.Failure
}

// providerButton renders a button that reloads the page, so that a gateway or a provider may sign the user in. After a
// sign-out that could not work, the button keeps the user signed in.
func providerButton(h *host) app.UI {
	label, press := "sign_in.again", reload
	if w := h.state.Warning; w != nil && w.Code == problem.CodeStillSignedIn {
		label, press = "sign_in.stay", func() { go h.live.Reauthenticate(context.Background()) }
	}
	button := ui.Button("button button-primary", text.Of(label)).
		ID("sign-in-again").
		OnClick(func(app.Context, app.Event) { press() }, app.EventScope(label))
	return ui.El("div", "buttons", button)
}

// demoUsers lists the users of a demonstration. They sign in without a password.
func demoUsers(h *host) app.UI {
	users := h.state.Users
	return ui.El("ul", "users", ui.Each(len(users), func(i int) app.UI {
		name := users[i]
		signIn := func(app.Context, app.Event) { go h.live.SignIn(context.Background(), name, "") }
		button := ui.El("button", "card user-card",
			ui.TextEl("strong", "", text.Label(name)),
			ui.TextEl("span", "", text.Of("who."+name)),
		).
			Attr("type", "button").
			DataSet("user", name).
			OnClick(signIn, app.EventScope(name))
		return ui.El("li", "", button)
	}))
}

// The ids of the fields of the sign-in. The fields keep their values themselves, so that password managers can fill
// them.
const (
	userID     = "sign-in-user"
	passwordID = "sign-in-password"
)

func passwordForm(h *host) app.UI {
	user := ui.Input().
		ID(userID).
		Attr("type", "text").
		Attr("name", "username").
		Attr("autocomplete", "username").
		Attr("autocapitalize", "none").
		Attr("required", true).
		Attr("autofocus", true)
	password := ui.Input().
		ID(passwordID).
		Attr("type", "password").
		Attr("name", "password").
		Attr("autocomplete", "current-password").
		Attr("required", true)
	submit := func(_ app.Context, e app.Event) {
		e.PreventDefault()
		go h.live.SignIn(context.Background(), ui.ControlValue(userID), ui.ControlValue(passwordID))
	}
	return ui.Submit("card form",
		ui.TextEl("label", "", text.Of("sign_in.name")).Attr("for", userID),
		user,
		ui.TextEl("label", "", text.Of("sign_in.password")).Attr("for", passwordID),
		password,
		ui.SubmitButton(text.Of("sign_in")),
	).OnSubmit(submit)
}
