package wasmclient_test

import (
	"context"
	"testing"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/contracttest"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// underTest is the subject of the contract. It uses streams alone, because the contract requires another stream when a
// stream has failed.
type underTest struct{ c *wasmclient.Client }

func (u *underTest) Run(ctx context.Context, t port.Transport, event func(string), gap func()) {
	u.c = wasmclient.New(wasmclient.Options{
		Transport: t,
		Ladder:    []conn.Transport{conn.SSE},
		OnEvent:   func(r store.Received) { event(r.ID) },
		OnGap:     func(wire.Gap) { gap() },
	})
	u.c.Run(ctx)
}

func (u *underTest) State() (state, code string) {
	s := u.c.View().Status
	return string(s.State), s.Code
}

func TestClientKeepsTheContractOfStreams(t *testing.T) {
	contracttest.Run(t, func() contracttest.Subject { return &underTest{} })
}
