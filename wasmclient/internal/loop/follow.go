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

// attach begins to follow.
func (g *group) attach(o conn.Open) {
	g.attempt, g.reader = o.Attempt, tabs.NewReader(g.page.Tab(), o.Attempt, o.After, g.d.cfg.Oldest, g.types())
	g.carry(g.reader.Start())
}

// detach ends that, if it is this attempt.
func (g *group) detach(attempt int) {
	if g != nil && g.attempt == attempt {
		g.reader = nil
	}
}

// carry does what the reader wants, until something of that ends it.
func (g *group) carry(wants []tabs.ReaderEffect) {
	reader := g.reader
	for _, w := range slices.Clone(wants) {
		if g.reader != reader {
			return
		}
		switch w := w.(type) {
		case tabs.PostMessage:
			g.post(w.Message)
		case tabs.DeliverFrame:
			g.d.step(conn.Frame{Attempt: g.attempt, Frame: w.Frame})
		case tabs.Mirror:
			g.d.step(conn.Upstream{Attempt: g.attempt, Status: w.Status})
		case tabs.CatchUp:
			attempt := g.attempt
			_, grant, _ := g.d.state.Machine.ResumePoint()
			g.d.attempt(attempt, func(ctx context.Context) any { return g.d.catchUp(ctx, attempt, grant, w.From, w.To) })
		case tabs.Lost:
			g.reader = nil
			g.d.step(conn.Ended{Attempt: g.attempt, Failure: conn.Failure{Code: conn.LeaderChanged}})
		}
	}
}

// caughtUp says that the history was read.
type caughtUp struct{ attempt int }

const catchUpLimit = 1000 // events a page

// catchUp reads from the broker's history what the leading tab no longer has, by
// the rights that tab has.
func (d *driver) catchUp(ctx context.Context, attempt int, grant string, from, to wire.Cursor) any {
	for from.Epoch == to.Epoch && from.Seq < to.Seq {
		after := from.String()
		if from.Seq == 0 {
			after = "oldest"
		}
		p, err := rest.ReadHistory(ctx, d.cfg.Transport, d.own(), url.Values{"limit": {strconv.Itoa(catchUpLimit)}, "after": {after}})
		if err != nil {
			return conn.Ended{Attempt: attempt, Failure: d.failure(err)}
		}
		if p.Grant != grant {
			return conn.Ended{Attempt: attempt, Failure: failureOf(errRegranted)}
		}
		for _, f := range p.Frames() {
			if d.input(ctx, conn.Frame{Attempt: attempt, Frame: f}) != nil {
				return nil
			}
		}
		if p.Next == from {
			return conn.Ended{Attempt: attempt, Failure: conn.Failure{Code: "no_progress"}}
		}
		from = p.Next
	}
	return caughtUp{attempt}
}
