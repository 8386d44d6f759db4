package hub

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// A purgeCounter counts the purged events that the hub reports.
type purgeCounter struct {
	noObserver
	events atomic.Uint64
}

func (p *purgeCounter) Purged(n uint64) { p.events.Add(n) }

const day = 24 * time.Hour

// A clockedHub has a clock that the test can change. Its log keeps the right
// time.
type clockedHub struct {
	*Hub
	t     *testing.T
	log   *memlog.Log
	ahead time.Duration
	out   bytes.Buffer
	count purgeCounter
}

// newClockedHub returns a hub that is ready but does not run.
func newClockedHub(t *testing.T, c Config) *clockedHub {
	k := &clockedHub{t: t, log: memlog.New("k", time.Hour)}
	c.Logger, c.Observer = slog.New(slog.NewTextHandler(&k.out, nil)), &k.count
	c.Log = k.log
	k.Hub = New(c)
	k.now = func() time.Time { return time.Now().Add(k.ahead) }
	require.NoError(t, k.loadState(t.Context()))
	k.markReady()
	return k
}

// publish stores n completed rentals, and a checkpoint.
func (k *clockedHub) publish(n int) {
	for range n {
		e, err := event.RentalStatusUpdated(int64(lastSeq(k.t, k.log)+1), "completed", "")
		require.NoError(k.t, err)
		body := e.Stamp(fmt.Sprint(lastSeq(k.t, k.log)), time.Now()).AppendJSON(nil)
		_, err = k.log.Append(k.t.Context(), eventlog.Entry{Type: e.Type, Subject: e.Subject, Key: string(body),
			Body: body})
		require.NoError(k.t, err)
	}
	page, err := k.log.Read(k.t.Context(), k.head().Seq, n, eventlog.Selection{})
	require.NoError(k.t, err)
	for _, r := range page.Records {
		k.handle(r)
	}
	require.NoError(k.t, k.Save(k.t.Context()))
}

// afterPurge purges with a retention of 30 days, and returns what is left of
// the log and the state.
func (k *clockedHub) afterPurge() string {
	k.savedSeq.Store(0) // makes Save store a checkpoint
	require.NoError(k.t, k.Save(k.t.Context()))
	require.NoError(k.t, k.Purge(k.t.Context(), 30*day))
	b, err := k.log.Bounds(k.t.Context())
	require.NoError(k.t, err)
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("%d events, %d entities", b.Last+1-b.First, len(k.state.Entities()))
}

// TestJumpingClockPurgesNothing moves the clock ahead. For an hour the hub must
// forget nothing of the log or the state.
func TestJumpingClockPurgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newClockedHub(t, Config{})
		k.publish(20)
		time.Sleep(2 * time.Hour)
		require.Equal(t, "20 events, 20 entities", k.afterPurge())
		k.ahead = 40 * day
		for range 59 {
			require.Equal(t, "20 events, 20 entities", k.afterPurge())
			time.Sleep(time.Minute)
		}
		require.Contains(t, k.out.String(), "put off")
		require.Contains(t, k.out.String(), "events=20 kept=20")
		k.ahead = 0 // the clock is corrected in time
		require.Equal(t, "20 events, 20 entities", k.afterPurge())
		k.ahead = -40 * day // the clock jumps back
		time.Sleep(2 * time.Hour)
		require.Equal(t, "20 events, 20 entities", k.afterPurge())
		require.Zero(t, k.count.events.Load())
		require.NotContains(t, k.out.String(), "were purged")
	})
}

// TestSteadyClockPurgesOldLog lets events become old by a clock that runs
// steadily. The hub must purge them, log it and measure it.
func TestSteadyClockPurgesOldLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newClockedHub(t, Config{})
		k.publish(20)
		require.Equal(t, "20 events, 20 entities", k.afterPurge())
		time.Sleep(40 * day)
		require.Equal(t, "0 events, 0 entities", k.afterPurge(), "the process has run all the time")
		require.EqualValues(t, 20, k.count.events.Load())
		require.Contains(t, k.out.String(), `msg="old events were purged" events=20 from=1 through=20`)

		// A new process knows nothing about the clock. A broker that was stopped for
		// long waits for an hour.
		k = newClockedHub(t, Config{})
		k.publish(20)
		k.ahead = 40 * day
		require.Equal(t, "20 events, 20 entities", k.afterPurge())
		time.Sleep(time.Hour)
		require.Equal(t, "0 events, 0 entities", k.afterPurge())

		// Small steps that correct the clock are no jump.
		k = newClockedHub(t, Config{})
		k.publish(20)
		time.Sleep(31 * day)
		for range 60 {
			k.ahead += time.Second
			time.Sleep(time.Minute)
			k.clockSteadyFor(k.now())
		}
		require.Equal(t, "0 events, 0 entities", k.afterPurge())
	})
}

// TestSmallPurgeDoesNotWait checks that a purge of at most a tenth of the log
// needs no steady clock.
func TestSmallPurgeDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, old := range []int{2, 3} {
			k := newClockedHub(t, Config{})
			k.publish(old)
			time.Sleep(31 * day)
			k.clock = clockWatch{} // as after a start
			k.publish(23 - old)
			require.Equal(t, old == 3, strings.HasPrefix(k.afterPurge(), "23 events"), "%d of 23 are old", old)
			require.EqualValues(t, 2*(3-old), k.count.events.Load())
		}
	})
}

// TestTrustedClockPurgesAtOnce checks that a hub with TrustClock does not wait
// for a steady clock, and that another hub waits no longer than the retention.
func TestTrustedClockPurgesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newClockedHub(t, Config{TrustClock: true})
		k.publish(20)
		k.ahead = 40 * day
		require.Equal(t, "0 events, 0 entities", k.afterPurge())
		k = newClockedHub(t, Config{})
		k.publish(20)
		time.Sleep(3 * time.Second)
		k.clock = clockWatch{} // as after a start
		require.NoError(t, k.Purge(t.Context(), 2*time.Second))
		require.Zero(t, k.count.events.Load())
		time.Sleep(2 * time.Second)
		require.NoError(t, k.Purge(t.Context(), 2*time.Second))
		require.EqualValues(t, 20, k.count.events.Load())
	})
}

// TestFutureTimesOfOldLogsAreClamped gives a hub an event with a time in 2046,
// in the log and in the checkpoint. The next event must still replace its
// state.
func TestFutureTimesOfOldLogsAreClamped(t *testing.T) {
	const poisoned = `{"specversion":"1.0","id":"old","type":"equipment_location_updated","source":"/yardline",` +
		`"subject":"equipment/7","time":"%s","severity":"info",` +
		`"data":{"equipment_id":7,"location_name":"wrong","recorded_at":"2046-01-01T00:00:00Z"}}`
	for name, prepare := range map[string]func(t *testing.T, log *memlog.Log){
		"in the log": func(t *testing.T, log *memlog.Log) {},
		"in the checkpoint": func(t *testing.T, log *memlog.Log) {
			var e event.Event
			require.NoError(t, json.Unmarshal(fmt.Appendf(nil, poisoned, "2046-01-01T00:00:00Z"), &e))
			state := projection.NewState("k")
			state.Apply(e, wire.Cursor{Epoch: "k", Seq: 1})
			raw, err := json.Marshal(state)
			require.NoError(t, err)
			var packed bytes.Buffer
			zip := gzip.NewWriter(&packed)
			_, err = io.Copy(zip, bytes.NewReader(raw))
			require.NoError(t, err)
			require.NoError(t, zip.Close())
			require.NoError(t, saveBlob(t.Context(), log, checkpointKey, packed.Bytes(),
				wire.Cursor{Epoch: "k", Seq: 1}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := memlog.New("k", time.Hour)
			_, err := log.Append(t.Context(), eventlog.Entry{Type: event.TypeEquipmentLocationUpdated,
				Subject: "equipment/7", Key: "old", Body: fmt.Appendf(nil, poisoned, "2046-01-01T00:00:00Z")})
			require.NoError(t, err)
			prepare(t, log)
			h := startHub(t, log, Config{})
			manager := grant(t, "1", 0, access.Manager)
			before, err := h.Snapshot(t.Context(), manager)
			require.NoError(t, err)
			require.Less(t, before.Entities[0].Fields.Text("recorded_at"), "2046", "readers receive no time of 2046")
			client := projection.NewStateFrom(before.Cursor, before.Entities)
			receipt, err := h.Publish(t.Context(), manager,
				[]byte(`{"type":"equipment_location_updated","data":{"equipment_id":7,"location_name":"right"}}`),
				PublishOptions{})
			require.NoError(t, err)
			require.Equal(t, "right", h.Entity("location/7").Fields.Text("location_name"))
			page, err := h.History(t.Context(), HistoryRequest{Grant: manager, Limit: 10})
			require.NoError(t, err)
			require.Equal(t, time.Now().Year(), page.Events[0].Time.Year(),
				"the history has the time when the event was stored")
			client.Apply(page.Events[1], receipt.Cursor)
			require.Equal(t, "right", client.Get("location/7").Fields.Text("location_name"))
		})
	}
}

// TestPublishRefusesFutureTimes publishes events with times in the future,
// alone and in a batch.
func TestPublishRefusesFutureTimes(t *testing.T) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{})
	erp := grant(t, "erp", 0, access.Service)
	fix := func(ahead time.Duration) json.RawMessage {
		return fmt.Appendf(nil, `{"type":"equipment_location_updated","data":{"equipment_id":7,"location_name":"x",`+
			`"recorded_at":%q}}`, time.Now().Add(ahead).UTC().Format(time.RFC3339))
	}
	var problem *event.Problem
	_, err := h.Publish(t.Context(), erp, fix(time.Hour), PublishOptions{})
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "/data/recorded_at", problem.Fields[0].Pointer)
	_, err = h.PublishBatch(t.Context(), erp, []json.RawMessage{fix(0), fix(time.Hour)}, false)
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "/1/data/recorded_at", problem.Fields[0].Pointer)
	require.Zero(t, lastSeq(t, log))
	_, err = h.Publish(t.Context(), erp, fix(event.MaxAhead-time.Minute), PublishOptions{})
	require.NoError(t, err)
}
