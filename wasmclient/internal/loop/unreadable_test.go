package loop_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// garbledBroker is a broker whose event of rental 13 cannot be read: the first time only if once is set, and always
// otherwise.
type garbledBroker struct {
	*fake.Broker
	once bool
	done bool
}

func (g *garbledBroker) spoil(b []byte) []byte {
	if !bytes.Contains(b, []byte("rental/13")) || g.once && g.done {
		return b
	}
	g.done = true
	at := bytes.Index(b, []byte("rental/13"))
	timeAt := bytes.Index(b[at:], []byte(`"time":"`)) + at
	return append(append(bytes.Clone(b[:timeAt]), []byte(`"time":"?`)...), b[timeAt+len(`"time":"`):]...)
}

func (g *garbledBroker) Do(ctx context.Context, r port.Request) (port.Response, error) {
	a, err := g.Broker.Do(ctx, r)
	if bytes.Contains([]byte(r.Path), []byte("/api/events")) {
		a.Body = g.spoil(a.Body)
	}
	return a, err
}

func (g *garbledBroker) Stream(ctx context.Context, r port.Request, handle func([]byte) error) (port.Response, error) {
	return g.Broker.Stream(ctx, r, func(piece []byte) error { return handle(g.spoil(piece)) })
}

// This holds for streams and long polls, in a tab that leads and in one that reads the history. The figures are right.
func TestUnreadableEventIsSkippedAndTheRestComes(t *testing.T) {
	for _, by := range []conn.Transport{conn.SSE, conn.Poll} {
		t.Run(string(by), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &garbledBroker{Broker: fake.New(manager)}
				in := &fake.Browser{}
				o := wasmclient.Options{Snapshot: true, Ladder: []conn.Transport{by}}
				w, other := openOver(t, b, in.NewTab(), o), openOver(t, b, in.NewTab(), o)
				for _, rental := range []int64{12, 13, 14} {
					publish(t, b.Broker, rental)
					synctest.Wait()
				}
				settle()
				publish(t, b.Broker, 15)
				synctest.Wait()
				late := openOver(t, b, in.NewTab(), wasmclient.Options{Oldest: true, Ladder: o.Ladder})
				settle()
				for _, tab := range []*window{w, other} {
					require.True(t, tab.View().Connected)
					require.Equal(t, "4", tab.View().Figures["active_rentals"].String())
					require.Equal(t, "3", tab.got[len(tab.got)-1])
				}
				require.Equal(t, []string{"0", "2", "3"}, late.got)
			})
		})
	}
}

func TestEventSpoiltOnTheWayIsReadTheSecondTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &garbledBroker{Broker: fake.New(manager), once: true}
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
		for _, rental := range []int64{12, 13, 14} {
			publish(t, b.Broker, rental)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"0", "1", "2"}, w.got)
	})
}
