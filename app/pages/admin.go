package pages

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
)

// adminPage is what /admin last heard of the broker.
type adminPage struct {
	stats   wasmclient.Stats
	at      time.Time // of stats; zero: none yet
	rate    float64   // events a second since the answer before
	problem string
	failed  string           // what came of a button
	token   wasmclient.Token // that was signed last; shown once
	watched bool             // a goroutine asks from time to time
}

// statsEvery is how often the page asks.
const statsEvery = 3 * time.Second

func (a *adminPage) forget() { *a = adminPage{watched: a.watched} }

// arrive asks now, and again while the page is open.
func (a *adminPage) arrive(r *Root) {
	a.ask(r)
	if a.watched {
		return
	}
	a.watched = true
	stop := r.stop
	go func() {
		tick := time.NewTicker(statsEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.ctx.Dispatch(func(ctx app.Context) {
					if r.path == "/admin" && r.state.Phase == live.SignedIn && isAdmin(r.state.User.Grant()) {
						a.ask(r)
						return
					}
					ctx.PreventUpdate()
				})
			case <-stop:
				return
			}
		}
	}()
}

func (a *adminPage) ask(r *Root) {
	var next wasmclient.Stats
	r.do(func(ctx context.Context) (err error) {
		next, err = r.Live.API().Stats(ctx)
		return err
	}, func(err error) {
		if a.problem = ""; err != nil {
			a.problem = live.Explain(err)
			return
		}
		now := time.Now()
		if d := now.Sub(a.at).Seconds(); !a.at.IsZero() && d > 0 && next.Events >= a.stats.Events {
			a.rate = float64(next.Events-a.stats.Events) / d
		}
		a.stats, a.at = next, now
	})
}

// admin is the page /admin.
func (r *Root) admin() app.UI {
	a := &r.watching
	if a.at.IsZero() {
		return r.page(text.Of("page.admin"), ui.Slot(a.problem != "", func() app.UI { return ui.TextEl("p", "banner banner-denied", a.problem).Role("alert") }), Waiting())
	}
	s := a.stats
	return r.page(text.Of("page.admin"),
		ui.Slot(a.problem != "", func() app.UI {
			return ui.TextEl("p", "banner", text.Of("admin.old", a.problem, text.Clock(a.at))).Role("alert")
		}),
		ui.El("ul", "figures", tile("connections", text.Number(s.Connections), transports(s.ByTransport)),
			tile("rate", text.Decimal(a.rate), text.Of("admin.total", text.Number(s.Events))),
			tile("latency", text.Of("unit.ms", text.Decimal(s.Delivery.P50)), text.Of("admin.latency", text.Decimal(s.Delivery.P95), text.Decimal(s.Delivery.P99))),
			tile("failures", text.Number(s.Gaps+s.Slow+s.Published["unavailable"]), text.Of("admin.failures", text.Number(s.Slow), text.Number(s.Gaps))),
			tile("memory", text.Bytes(s.Memory), text.Of("admin.memory", text.Bytes(s.PerReader))),
			tile("log", text.Of(map[bool]string{true: "admin.log.fine", false: "admin.log.ill"}[s.Healthy]), text.Of("admin.log", text.Number(s.Newest-min(s.Newest+1, s.Oldest)+1)))),
		ui.El("div", "columns columns-even",
			ui.El("div", "stack",
				section("minutes", ui.Columns(s.PerMinute, text.Of("admin.minutes.words", text.Number(sum(s.PerMinute))))),
				section("delivery", ui.Shares([]ui.Share{latency("p50", s.Delivery.P50), latency("p95", s.Delivery.P95), latency("p99", s.Delivery.P99)})),
				section("results", ui.Shares(append(shares(s.Published), pushShares(s.Pushes)...)))),
			section("types", ui.Shares(typeShares(s.ByType)))),
		ui.Card("feed-card", "open", text.Of("admin.open"), r.connections(s.Open)),
		r.tokens(a))
}

func section(key string, body app.UI) app.UI {
	return ui.El("section", "card", ui.TextEl("h2", "", text.Of("admin."+key)).ID(key+"-title"), body).Aria("labelledby", key+"-title")
}

func tile(key, value, hint string) app.UI {
	return ui.El("li", "card figure", ui.TextEl("p", "figure-label", text.Of("admin.tile."+key)),
		ui.TextEl("p", "figure-value", value), ui.TextEl("p", "figure-hint", hint)).DataSet("tile", key)
}

func transports(by map[string]int) string {
	var parts []string
	for _, name := range []string{"sse", "websocket", "poll"} {
		if by[name] > 0 {
			parts = append(parts, text.Label(name)+" "+text.Number(by[name]))
		}
	}
	if parts == nil {
		return text.Of("admin.nobody")
	}
	return strings.Join(parts, " · ")
}

func sum(all []int) (n int) {
	for _, v := range all {
		n += v
	}
	return n
}

func typeShares(by map[event.Type]int) (all []ui.Share) {
	for _, t := range event.Types {
		if n := by[t]; n > 0 {
			all = append(all, ui.Share{Name: text.Label(string(t)), Value: float64(n), Text: text.Number(n)})
		}
	}
	return all
}

func latency(name string, ms float64) ui.Share {
	return ui.Share{Name: text.Of("admin." + name), Value: ms, Text: text.Of("unit.ms", text.Decimal(ms))}
}

func shares(counts map[string]int64) (all []ui.Share) {
	for _, name := range []string{"stored", "duplicate", "invalid", "forbidden", "conflict", "unavailable"} {
		if n := counts[name]; n > 0 {
			all = append(all, ui.Share{Name: text.Of("admin.result." + name), Value: float64(n), Text: text.Number(n)})
		}
	}
	return all
}

func pushShares(counts map[string]int64) (all []ui.Share) {
	for _, name := range []string{"sent", "gone", "failed", "dropped"} {
		if n := counts[name]; n > 0 {
			all = append(all, ui.Share{Name: text.Of("admin.push." + name), Value: float64(n), Text: text.Number(n)})
		}
	}
	return all
}

func (r *Root) connections(open []wasmclient.Connection) app.UI {
	if len(open) == 0 {
		return ui.Empty(text.Of("admin.nobody"), text.Of("admin.nobody.text"))
	}
	return ui.El("div", "scroll", ui.El("table", "table", ui.El("thead", "", ui.El("tr", "", ui.Each(len([]string{"who", "roles", "transport", "since", "lag", "do"}), func(i int) app.UI {
		return ui.TextEl("th", "", text.Of("admin.col."+[]string{"who", "roles", "transport", "since", "lag", "do"}[i])).Attr("scope", "col")
	}))),
		ui.El("tbody", "", ui.Each(len(open), func(i int) app.UI {
			c := open[i]
			return ui.El("tr", "", ui.TextEl("td", "", cmp.Or(c.Name, c.Actor)), ui.TextEl("td", "", c.Roles), ui.TextEl("td", "", text.Label(c.Transport)), ui.TextEl("td", "", text.Relative(c.Since, r.now)), ui.TextEl("td", "", text.Bytes(c.Lag)),
				ui.El("td", "", ui.Button("button button-small", text.Of("admin.kick")).Aria("label", text.Of("admin.kick.of", cmp.Or(c.Name, c.Actor))).OnClick(func(app.Context, app.Event) {
					r.do(func(ctx context.Context) error { return r.Live.API().Kick(ctx, c.ID) }, func(err error) {
						if r.watching.failed = ""; err != nil {
							r.watching.failed = live.Explain(err)
						}
						r.watching.ask(r)
					})
				}, app.EventScope(c.ID)))).DataSet("connection", c.ID)
		})))).TabIndex(0).Role("group").Aria("labelledby", "open-title")
}

const (
	tokenUser = "token-user"
	tokenDays = "token-days"
)

// tokens signs tokens for back ends.
func (r *Root) tokens(a *adminPage) app.UI {
	return ui.Card("", "tokens", text.Of("admin.tokens"), ui.TextEl("p", "row-meta", text.Of("admin.tokens.text")),
		ui.Slot(a.failed != "", func() app.UI { return ui.TextEl("p", "problem", a.failed).Role("alert") }),
		ui.Submit("token-form",
			ui.Field(tokenUser, text.Of("admin.token.user"), ui.Input().ID(tokenUser).Attr("type", "text").
				Attr("required", true).Attr("maxlength", 64).Attr("autocomplete", "off").Attr("placeholder", "erp")),
			ui.Select(tokenDays, text.Of("admin.token.ttl"), []ui.Option{{Value: "1", Label: text.Count("days", 1)}, {Value: "30", Label: text.Count("days", 30)}, {Value: "365", Label: text.Count("days", 365)}}, "30", nil),
			ui.TextEl("button", "button button-primary", text.Of("admin.token.sign")).Attr("type", "submit").ID("mint")).OnSubmit(func(_ app.Context, e app.Event) {
			e.PreventDefault()
			value := func(id string) string { return app.Window().GetElementByID(id).Get("value").String() }
			user, days := strings.TrimSpace(value(tokenUser)), value(tokenDays)
			hours := map[string]int{"1": 24, "30": 30 * 24, "365": 365 * 24}[days]
			var token wasmclient.Token
			r.do(func(ctx context.Context) (err error) {
				token, err = r.Live.API().Mint(ctx, user, hours)
				return err
			}, func(err error) {
				if a.failed, a.token = "", token; err != nil {
					a.failed = live.Explain(err)
				}
			})
		}),
		ui.Slot(a.token.Token != "", func() app.UI {
			return ui.El("div", "token", ui.TextEl("p", "", text.Of("admin.token.once", a.token.User, text.DateTime(a.token.Expires))),
				ui.TextEl("pre", "raw", a.token.Token).ID("token").TabIndex(0).Aria("label", text.Of("admin.token")),
				ui.Button("button button-small", text.Of("copy")).
					OnClick(func(app.Context, app.Event) { device.Copy(a.token.Token) }))
		}))
}
