package loop_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// punctualBroker is a broker that refuses the times that the device writes, because the device's clock is ahead.
type punctualBroker struct {
	*fake.Broker
	refused atomic.Int32
}

func (p *punctualBroker) Do(ctx context.Context, r port.Request) (port.Response, error) {
	var body struct{ Time string }
	if r.Method == "POST" && json.Unmarshal(r.Body, &body) == nil && body.Time != "" {
		p.refused.Add(1)
		return port.Response{Status: 422, ContentType: "application/problem+json",
			Body: []byte(`{"type":"urn:yardline:problem:invalid_event","status":422,` +
				`"code":"invalid_event","title":"The event is not valid","errors":[{"pointer":"/time","code":"limit",` +
				`"expected":"a time at most 5 minutes ahead"}]}`)}, nil
	}
	return p.Broker.Do(ctx, r)
}

// The broker stores what the user of such a device writes with its own time.
func TestADeviceWhoseClockIsAheadCanWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &punctualBroker{Broker: fake.New(manager)}
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{Storage: &port.Memory{}})
		item := write(t, w, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 1, b.refused.Load())
		for _, i := range w.View().Outbox {
			require.NotEqual(t, outbox.Rejected, i.State, i.Problem)
		}
		require.Equal(t, item.ID, w.View().Events[0].ID)
		require.Equal(t, event.TypeRentalStatusUpdated, w.View().Events[0].Type)
	})
}
