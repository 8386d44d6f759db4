package pages

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
)

// adminPage is the page /admin: the numbers of the broker, its open connections, and tokens for back ends.
type adminPage struct {
	stats         wasmclient.Stats // the last answer of the broker
	statsAt       time.Time        // when the answer came; zero before the first one
	rate          float64          // events a second between the last two answers
	problem       string           // why the last request for the numbers failed; "" if it did not
	actionProblem string           // why the last action of the user failed; "" if it did not
	token         wasmclient.Token // the last token that was created; the page shows it once
	polling       bool             // a goroutine asks for the numbers from time to time
}

// statsInterval is the time between two requests for the numbers.
const statsInterval = 3 * time.Second

// forget implements page. The goroutine of poll goes on, and asks for nothing until the page is open again.
func (p *adminPage) forget() { *p = adminPage{polling: p.polling} }

func (p *adminPage) arrive(h *host, a arrival) {
	if a == pageOpened || a == brokerReachable && h.isOpen("admin") {
		p.load(h)
		p.startPolling(h)
	}
}

// startPolling starts a goroutine that loads the numbers every statsInterval while the page is open. It ends with Root.
func (p *adminPage) startPolling(h *host) {
	if p.polling {
		return
	}
	p.polling = true
	ctx, stop := h.ctx, h.stop
	go func() {
		tick := time.NewTicker(statsInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				ctx.Dispatch(func(ctx app.Context) {
					if h.isOpen("admin") {
						p.load(h)
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

// load asks the broker for its numbers.
func (p *adminPage) load(h *host) {
	var stats wasmclient.Stats
	h.request(func(ctx context.Context) (err error) {
		stats, err = h.live.API().Stats(ctx)
		return err
	}, func(err error) {
		if err != nil {
			p.problem = live.Explain(err)
			return
		}
		p.problem = ""
		now := time.Now()
		seconds := now.Sub(p.statsAt).Seconds()
		if !p.statsAt.IsZero() && seconds > 0 && stats.Events >= p.stats.Events {
			p.rate = float64(stats.Events-p.stats.Events) / seconds
		}
		p.stats, p.statsAt = stats, now
	})
}

func (p *adminPage) render(h *host) app.UI {
	title := text.Of("page.admin")
	if p.statsAt.IsZero() {
		return h.frame(title,
			ui.Message("banner banner-denied", "alert", p.problem),
			ui.SkeletonPage())
	}
	outdated := ""
	if p.problem != "" {
		outdated = text.Of("admin.old", p.problem, text.Clock(p.statsAt))
	}
	return h.frame(title,
		ui.Message("banner", "alert", outdated),
		p.tiles(),
		p.charts(),
		ui.Card("feed-card", "open", text.Of("admin.open"), p.connections(h)),
		p.tokensCard(h))
}

// tiles renders the most important numbers.
func (p *adminPage) tiles() app.UI {
	s := p.stats
	tile := func(key, value, hint string) app.UI { return ui.Tile(key, text.Of("admin.tile."+key), value, hint) }
	failures := s.Gaps + s.Slow + s.Published["unavailable"]
	latency := text.Of("admin.latency", text.Decimal(s.Delivery.P95), text.Decimal(s.Delivery.P99))
	logState := "admin.log.ill"
	if s.Healthy {
		logState = "admin.log.fine"
	}
	logged := s.Newest - min(s.Newest+1, s.Oldest) + 1
	return ui.El("ul", "figures",
		tile("connections", text.Number(s.Connections), transportCounts(s.ByTransport)),
		tile("rate", text.Decimal(p.rate), text.Of("admin.total", text.Number(s.Events))),
		tile("latency", text.Of("unit.ms", text.Decimal(s.Delivery.P50)), latency),
		tile("failures", text.Number(failures), text.Of("admin.failures", text.Number(s.Slow), text.Number(s.Gaps))),
		tile("memory", text.Bytes(s.Memory), text.Of("admin.memory", text.Bytes(s.PerReader))),
		tile("log", text.Of(logState), text.Of("admin.log", text.Number(logged))))
}

// transportCounts returns the number of connections of each transport that has any.
func transportCounts(counts map[string]int) string {
	var parts []string
	for _, name := range []string{"sse", "websocket", "poll"} {
		if counts[name] > 0 {
			parts = append(parts, text.Label(name)+" "+text.Number(counts[name]))
		}
	}
	if parts == nil {
		return text.Of("admin.nobody")
	}
	return strings.Join(parts, " · ")
}

// charts renders the numbers of the last hour.
func (p *adminPage) charts() app.UI {
	s := p.stats
	minutes := ui.Columns(s.PerMinute, text.Of("admin.minutes.words", text.Number(sum(s.PerMinute))))
	latency := ui.Shares([]ui.Share{
		latencyShare("p50", s.Delivery.P50),
		latencyShare("p95", s.Delivery.P95),
		latencyShare("p99", s.Delivery.P99),
	})
	results := append(
		countShares("admin.result.", s.Published, publishResults),
		countShares("admin.push.", s.Pushes, pushResults)...)
	left := ui.El("div", "stack",
		chartCard("minutes", minutes),
		chartCard("delivery", latency),
		chartCard("results", ui.Shares(results)))
	return ui.El("div", "columns columns-even",
		left,
		chartCard("types", ui.Shares(typeShares(s.ByType))))
}

func chartCard(key string, body app.UI) app.UI { return ui.Card("", key, text.Of("admin."+key), body) }

func sum(all []int) (n int) {
	for _, v := range all {
		n += v
	}
	return n
}

func latencyShare(name string, ms float64) ui.Share {
	return ui.Share{Name: text.Of("admin." + name), Value: ms, Text: text.Of("unit.ms", text.Decimal(ms))}
}

// The results of publications and of pushes, in the order of the chart.
var (
	publishResults = []string{"stored", "duplicate", "invalid", "forbidden", "conflict", "unavailable"}
	pushResults    = []string{"sent", "gone", "failed", "dropped"}
)

// countShares returns a share for each name that has a count. The texts of the names begin with prefix.
func countShares(prefix string, counts map[string]int64, names []string) (all []ui.Share) {
	for _, name := range names {
		if n := counts[name]; n > 0 {
			all = append(all, ui.Share{Name: text.Of(prefix + name), Value: float64(n), Text: text.Number(n)})
		}
	}
	return all
}

func typeShares(counts map[event.Type]int) (all []ui.Share) {
	for _, t := range event.Types {
		if n := counts[t]; n > 0 {
			all = append(all, ui.Share{Name: text.Label(string(t)), Value: float64(n), Text: text.Number(n)})
		}
	}
	return all
}

// connectionColumns has the keys of the columns of the table of connections.
var connectionColumns = []string{"who", "roles", "transport", "since", "lag", "do"}

// connections renders the table of the open connections.
func (p *adminPage) connections(h *host) app.UI {
	open := p.stats.Open
	if len(open) == 0 {
		return ui.Empty(text.Of("admin.nobody"), text.Of("admin.nobody.text"))
	}
	var headings []string
	for _, key := range connectionColumns {
		headings = append(headings, text.Of("admin.col."+key))
	}
	table := ui.Table("table", headings, len(open), func(i int) app.UI { return p.connectionRow(h, open[i]) })
	return ui.El("div", "scroll", table).
		TabIndex(0).
		Role("group").
		Aria("labelledby", "open-title")
}

func (p *adminPage) connectionRow(h *host, c wasmclient.Connection) app.UI {
	name := cmp.Or(c.Name, c.Actor)
	closeButton := ui.Button("button button-small", text.Of("admin.close_connection")).
		Aria("label", text.Of("admin.close_connection.of", name)).
		OnClick(func(app.Context, app.Event) { p.closeConnection(h, c.ID) }, app.EventScope(c.ID))
	return ui.El("tr", "",
		ui.TextEl("td", "", name),
		ui.TextEl("td", "", c.Roles),
		ui.TextEl("td", "", text.Label(c.Transport)),
		ui.TextEl("td", "", text.Relative(c.Since, h.now)),
		ui.TextEl("td", "", text.Bytes(c.Lag)),
		ui.El("td", "", closeButton),
	).DataSet("connection", c.ID)
}

// closeConnection asks the broker to close a connection and then loads the numbers.
func (p *adminPage) closeConnection(h *host, id string) {
	h.request(func(ctx context.Context) error { return h.live.API().CloseConnection(ctx, id) }, func(err error) {
		p.actionProblem = ""
		if err != nil {
			p.actionProblem = live.Explain(err)
		}
		p.load(h)
	})
}
