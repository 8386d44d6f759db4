package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/porttest"
)

func TestTabKeepsTheContractOfPages(t *testing.T) {
	b := &Browser{}
	porttest.Page(t, func() port.Page { return b.NewTab() })
}

func TestMemoryKeepsTheContractOfStorages(t *testing.T) { porttest.Storage(t, &port.Memory{}) }

// A page of history after a cursor of another log begins with a gap, and an open stream goes on in the new log.
func TestReplacedLogLeadsToAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(access.Grant{User: "1", Name: "manager", Roles: []access.Role{access.Manager}})
		b.Publish(event.Example(event.TypePaymentReceived))
		var heard []string
		var d wire.Decoder
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			_, _ = b.Stream(ctx, port.Request{Path: "/api/sse?after=k-1"}, func(piece []byte) error {
				return d.Feed(piece, func(m wire.Message) {
					if f, err := wire.ParseMessage(m); err == nil && f != nil {
						heard = append(heard, fmt.Sprintf("%T %s", f, f.ReachedCursor()))
					}
				})
			})
		})
		synctest.Wait()
		b.Replace("z")
		synctest.Wait()
		time.Sleep(heartbeat)
		b.Publish(event.Example(event.TypePaymentReceived))
		synctest.Wait()
		require.Equal(t, []string{"*wire.Hello k-1", "*wire.Gap z-0", "*wire.Heartbeat z-0", "*wire.Event z-1"}, heard)
		b.Publish(event.Example(event.TypeRentalOverdue))
		page := func(query string) (p wasmclient.HistoryPage) {
			r, err := b.Do(t.Context(), port.Request{Method: "GET", Path: "/api/events?" + query})
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(r.Body, &p))
			return p
		}
		p := page("after=k-1&limit=10")
		require.Equal(t, "z-2", p.Gap.To.String())
		require.Empty(t, p.Events)
		p = page("after=oldest&limit=10&types=rental_overdue")
		require.Nil(t, p.Gap)
		require.Len(t, p.Events, 1)
		require.Equal(t, "z-2", p.Events[0].Cursor)
		require.Equal(t, p.Events, page("limit=1").Events)
		cancel()
		done.Wait()
	})
}
