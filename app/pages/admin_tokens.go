package pages

import (
	"context"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/wasmclient"
)

// The ids of the fields for a token.
const (
	tokenUserID = "token-user"
	tokenDaysID = "token-days"
)

// tokenHours maps the lifetimes of a token that the form offers, in days, to hours.
var tokenHours = map[string]int{"1": 24, "30": 30 * 24, "365": 365 * 24}

// tokensCard renders the form that creates tokens for back ends, and the last token.
func (p *adminPage) tokensCard(h *host) app.UI {
	token := ui.Slot(p.token.Token != "", p.tokenText)
	return ui.Card("", "tokens", text.Of("admin.tokens"),
		ui.TextEl("p", "row-meta", text.Of("admin.tokens.text")),
		ui.Message("problem", "alert", p.actionProblem),
		p.tokenForm(h),
		token)
}

func (p *adminPage) tokenForm(h *host) app.UI {
	user := ui.Input().
		ID(tokenUserID).
		Attr("type", "text").
		Attr("required", true).
		Attr("maxlength", 64).
		Attr("autocomplete", "off").
		Attr("placeholder", "erp")
	days := []ui.Option{
		{Value: "1", Label: text.Count("days", 1)},
		{Value: "30", Label: text.Count("days", 30)},
		{Value: "365", Label: text.Count("days", 365)},
	}
	submit := func(_ app.Context, e app.Event) {
		e.PreventDefault()
		name := strings.TrimSpace(ui.ControlValue(tokenUserID))
		p.createToken(h, name, tokenHours[ui.ControlValue(tokenDaysID)])
	}
	return ui.Submit("token-form",
		ui.Field(tokenUserID, text.Of("admin.token.user"), user),
		ui.Select(tokenDaysID, text.Of("admin.token.ttl"), days, "30", nil),
		ui.SubmitButton(text.Of("admin.token.sign")).ID("create-token"),
	).OnSubmit(submit)
}

// createToken asks the broker for a token.
func (p *adminPage) createToken(h *host, user string, hours int) {
	var token wasmclient.Token
	h.request(func(ctx context.Context) (err error) {
		token, err = h.live.API().CreateToken(ctx, user, hours)
		return err
	}, func(err error) {
		p.actionProblem, p.token = "", token
		if err != nil {
			p.actionProblem = live.Explain(err)
		}
	})
}

// tokenText renders the last token with a button that copies it.
func (p *adminPage) tokenText() app.UI {
	token := ui.TextEl("pre", "raw", p.token.Token).
		ID("token").
		TabIndex(0).
		Aria("label", text.Of("admin.token"))
	return ui.El("div", "token",
		ui.TextEl("p", "", text.Of("admin.token.once", p.token.User, text.DateTime(p.token.Expires))),
		token,
		ui.SmallButton(text.Of("copy"), func() { device.Copy(p.token.Token) }))
}
