package loop_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// The test uses every transport, with a snapshot and without.
func TestNothingOfFormerRightsIsShown(t *testing.T) {
	low, err := access.NewGrant(manager.User, manager.Name, []access.Role{access.Yard}, 0)
	require.NoError(t, err)
	for _, transport := range []conn.Transport{conn.SSE, conn.Poll} {
		for _, snapshot := range []bool{false, true} {
			t.Run(fmt.Sprint(transport, " snapshot=", snapshot), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := fake.New(manager)
					c := start(t, b, wasmclient.Options{Snapshot: snapshot, Ladder: []conn.Transport{transport}})
					paid, err := event.PaymentReceived(1, "5", "cash")
					require.NoError(t, err)
					b.Publish(paid)
					synctest.Wait()
					require.Len(t, c.View().Events, 1)
					b.Regrant(low)
					publish(t, b, 1)
					time.Sleep(2 * time.Minute)
					v := c.View()
					require.True(t, v.Connected)
					for _, e := range v.Events {
						require.NotEqual(t, event.TypePaymentReceived, e.Type)
					}
					require.Zero(t, v.Counts[event.TypePaymentReceived])
					publish(t, b, 2)
					synctest.Wait()
					require.Equal(t, "2", c.View().LastEvent.Data.Text("rental_id"))
				})
			})
		}
	}
}

func TestHistoryReadByOtherRightsThanTheLeadersIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := &scriptedBroker{Broker: fake.New(manager)}, &fake.Browser{}
		openOver(t, b, in.NewTab(), wasmclient.Options{})
		w := openOver(t, b, in.NewTab(), wasmclient.Options{})
		publish(t, b.Broker, 1)
		synctest.Wait()
		w.Pause()
		synctest.Wait()
		for i := range 1500 { // more than the leader keeps
			publish(t, b.Broker, int64(i+2))
		}
		synctest.Wait()
		b.answer(func(r port.Request) *port.Response {
			if !strings.HasPrefix(r.Path, "/api/events") {
				return nil
			}
			a, err := b.Broker.Do(t.Context(), r)
			require.NoError(t, err)
			var page map[string]any
			require.NoError(t, json.Unmarshal(a.Body, &page))
			page["grant"] = "other"
			a.Body, err = json.Marshal(page)
			require.NoError(t, err)
			return &a
		})
		w.Resume()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"0"}, w.got)
		require.Equal(t, "regrant", w.View().Status.Code)
		b.answer(nil)
		time.Sleep(time.Minute)
		requireSameIDs(t, idsFrom(0, 1501), w.got)
	})
}
