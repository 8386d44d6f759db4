package loop_test

import (
	"cmp"
	"context"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/randtest"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// A spoil says what the network does to a transport.
type spoil int

const (
	works spoil = iota
	refused
	held
	cutEarly
	spoils // the number of spoils
)

// spoiledBroker is a broker with sockets. The network between the broker and the client spoils streams and sockets as
// set.
type spoiledBroker struct {
	*fake.Broker
	mu              sync.Mutex
	streams, socket spoil
	lag             time.Duration
}

func (s *spoiledBroker) set(streams, socket spoil, lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams, s.socket, s.lag = streams, socket, lag
}

func (s *spoiledBroker) get() (streams, socket spoil, lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams, s.socket, s.lag
}

// pass carries a stream through the network.
func (s *spoiledBroker) pass(
	ctx context.Context, how spoil, path string, handle func([]byte) error,
) (port.Response, error) {
	_, _, lag := s.get()
	time.Sleep(lag)
	switch how {
	case held:
		<-ctx.Done()
		return port.Response{}, ctx.Err()
	case cutEarly:
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
	}
	return s.Broker.Stream(ctx, port.Request{Path: path}, func(piece []byte) error {
		time.Sleep(lag / 2)
		return handle(piece)
	})
}

func (s *spoiledBroker) Stream(ctx context.Context, r port.Request, handle func([]byte) error) (port.Response, error) {
	how, _, _ := s.get()
	if how == refused {
		return port.Response{Status: 406}, nil
	}
	return s.pass(ctx, how, r.Path, handle)
}

func (s *spoiledBroker) Socket(ctx context.Context, path string, handle func([]byte) error) error {
	_, how, _ := s.get()
	if how == refused {
		return port.ErrNoUpgrade
	}
	var d wire.Decoder
	_, err := s.pass(ctx, how, strings.Replace(path, "/api/ws", "/api/sse", 1), func(piece []byte) error {
		var out []byte
		err := d.Feed(piece, func(m wire.Message) {
			if f, err := wire.ParseMessage(m); err == nil && f != nil {
				out = wire.AppendJSON(out, f)
			}
		})
		if len(out) > 0 {
			err = cmp.Or(handle(out), err)
		}
		return err
	})
	return err
}

func TestEventsComeOnceAndInOrderWhileABetterTransportTakesOver(t *testing.T) {
	for _, first := range []conn.Transport{conn.WebSocket, conn.Poll} {
		t.Run(string(first), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &spoiledBroker{Broker: fake.New(manager)}
				socket := works
				if first == conn.Poll {
					socket = refused
				}
				b.set(refused, socket, 400*time.Millisecond)
				w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
				time.Sleep(5 * time.Second)
				require.Equal(t, first, w.View().Status.Transport)
				b.set(works, socket, 400*time.Millisecond)
				const n = 2000 // for 100 s, in which it climbs
				for i := range n {
					publish(t, b.Broker, int64(i+1))
					time.Sleep(50 * time.Millisecond)
				}
				time.Sleep(5 * time.Second)
				require.Equal(t, conn.SSE, w.View().Status.Transport)
				requireSameIDs(t, idsFrom(0, n), w.got)
				require.Equal(t, 1, b.Streams())
			})
		})
	}
}

// The client falls from one transport to the next.
func TestStatusNamesATransportOnlyWhileItsStreamIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &spoiledBroker{Broker: fake.New(manager)}
		b.set(cutEarly, held, 0)
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
		for range 400 {
			if v := w.View(); v.Status.Transport == conn.SSE {
				require.Equal(t, 1, b.Streams())
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		require.Equal(t, conn.Polling, w.View().Status.State, "it fell twice")
	})
}

func TestRestartOfTheBrokerKeepsTheTransportThatWorksHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &spoiledBroker{Broker: fake.New(manager)}
		b.set(held, works, 0)
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
		time.Sleep(30 * time.Second)
		require.Equal(t, conn.WebSocket, w.View().Status.Transport)
		b.SetDown(true)
		b.set(held, refused, 0)
		b.Cut()
		time.Sleep(40 * time.Second)
		b.SetDown(false)
		b.set(held, works, 0)
		time.Sleep(31 * time.Second)
		require.Equal(t, conn.WebSocket, w.View().Status.Transport)
	})
}

// Each tab has what follows its first event once and in order, and uses the best transport in the end.
func TestEveryTabHasEveryEventWhateverTheNetworkDoes(t *testing.T) {
	for seed := range randtest.Seeds(6) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewSource(seed))
			b, in := &spoiledBroker{Broker: fake.New(manager)}, &fake.Browser{}
			var open []*window
			for i := range 3 {
				o := wasmclient.Options{Snapshot: i%2 == 0, Random: rand.New(rand.NewSource(r.Int63())).Float64}
				open = append(open, openOver(t, b, in.NewTab(), o))
			}
			for range 300 {
				switch r.Intn(16) {
				case 0, 1:
					streams, socket := spoil(r.Intn(int(spoils))), spoil(r.Intn(int(spoils)))
					b.set(streams, socket, time.Duration(r.Intn(3)*r.Intn(400))*time.Millisecond)
				case 2:
					b.Cut()
				case 3:
					open[r.Intn(len(open))].Happen(port.Frozen)
				case 4, 5:
					open[r.Intn(len(open))].Happen(port.Thawed)
				case 6:
					open[r.Intn(len(open))].Reconnect()
				}
				for range r.Intn(30) {
					b.Publish(event.Example(event.TypePaymentReceived))
				}
				time.Sleep(time.Duration(r.Intn(9000)) * time.Millisecond)
			}
			b.set(works, works, 0)
			for _, w := range open {
				w.Happen(port.Thawed)
			}
			time.Sleep(time.Hour) // it climbs a last time
			b.Publish(event.Example(event.TypePaymentReceived))
			time.Sleep(time.Second) // A stream that was opened while the network was slow stays slow.
			synctest.Wait()
			for i, w := range open {
				require.Equal(t, conn.SSE, w.View().Status.Transport, "seed %d, tab %d: %+v", seed, i, w.View().Status)
				n := len(b.Events())
				requireSameIDs(t, idsFrom(n-len(w.got), n), w.got, "seed", seed, "tab", i)
			}
			require.Equal(t, 1, b.Streams(), "seed %d", seed)
		})
	}
}
