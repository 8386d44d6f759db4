package loop

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// attach makes this tab read from the tab that leads.
func (g *group) attach(o conn.Open) {
	g.readerAttempt = o.Attempt
	g.reader = tabs.NewReader(g.page.Tab(), o.Attempt, o.After, g.d.cfg.Oldest, g.types())
	g.carryOutReader(g.reader.Start())
}

// detach ends the reader, if the reader belongs to this attempt.
func (g *group) detach(attempt int) {
	if g != nil && g.readerAttempt == attempt {
		g.reader = nil
	}
}

// carryOutReader carries out effects of the reader, until one of them ends the reader.
func (g *group) carryOutReader(effects []tabs.ReaderEffect) {
	reader := g.reader
	for _, e := range slices.Clone(effects) {
		if g.reader != reader {
			return
		}
		switch e := e.(type) {
		case tabs.PostMessage:
			g.post(e.Message)
		case tabs.DeliverFrame:
			g.d.step(conn.Frame{Attempt: g.readerAttempt, Frame: e.Frame})
		case tabs.Mirror:
			g.d.step(conn.Upstream{Attempt: g.readerAttempt, Status: e.Status})
		case tabs.CatchUp:
			attempt := g.readerAttempt
			_, grant, _ := g.d.state.Machine.ResumePoint()
			g.d.attempt(attempt, func(ctx context.Context) message {
				return g.d.catchUp(ctx, attempt, grant, e.From, e.To)
			})
		case tabs.Lost:
			g.reader = nil
			failure := conn.Failure{Code: conn.LeaderChanged}
			g.d.step(conn.Ended{Attempt: g.readerAttempt, Failure: failure})
		}
	}
}

// handleHistoryRead lets the reader go on with what it held back while the history was read.
func (g *group) handleHistoryRead(attempt int) {
	g.d.abort(attempt)
	if attempt == g.readerAttempt && g.reader != nil {
		g.carryOutReader(g.reader.HandleCaughtUp())
	}
}

// catchUpLimit is the number of events that one request for the history asks for.
const catchUpLimit = 1000

// catchUp delivers from the broker's history the events that the leading tab no longer has. It fails if the broker
// answers for other rights than those of grant, the leading tab's. It returns nil if ctx ends.
func (d *driver) catchUp(ctx context.Context, attempt int, grant string, from, to wire.Cursor) message {
	for from.Epoch == to.Epoch && from.Seq < to.Seq {
		after := from.String()
		if from.Seq == 0 {
			after = "oldest"
		}
		q := url.Values{"limit": {strconv.Itoa(catchUpLimit)}, "after": {after}}
		p, err := rest.ReadHistory(ctx, d.cfg.Transport, d.tabFilter(), q)
		if err != nil {
			return connMessage{conn.Ended{Attempt: attempt, Failure: d.failure(err)}}
		}
		if p.Grant != grant {
			return connMessage{conn.Ended{Attempt: attempt, Failure: failureOf(errRegranted)}}
		}
		for _, f := range p.Frames() {
			if d.send(ctx, frameMessage{conn.Frame{Attempt: attempt, Frame: f}}) != nil {
				return nil
			}
		}
		if p.Next == from {
			return connMessage{conn.Ended{Attempt: attempt, Failure: conn.Failure{Code: "no_progress"}}}
		}
		from = p.Next
	}
	return historyRead{attempt}
}
