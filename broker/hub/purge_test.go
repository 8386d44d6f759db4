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

// purges counts the purges that an Observer is called for.
type purges struct {
	noObserver
	events atomic.Uint64
}

func (p *purges) Purged(n uint64) { p.events.Add(n) }

const day = 24 * time.Hour

// A clocked hub runs by a clock that can jump. Its log keeps the true time.
type clockedHub struct {
	*Hub
	t     *testing.T
	log   *memlog.Log
	ahead time.Duration
	out   bytes.Buffer
	count purges
}

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

// publish stores n rentals that are over, and the state with them.
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

// kept purges by a retention of 30 days, and tells what is left of log and state.
func (k *clockedHub) kept() string {
	k.savedSeq.Store(0) // as if there were something to save
	require.NoError(k.t, k.Save(k.t.Context()))
	require.NoError(k.t, k.Purge(k.t.Context(), 30*day))
	b, err := k.log.Bounds(k.t.Context())
	require.NoError(k.t, err)
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("%d events, %d entities", b.Last+1-b.First, len(k.state.Entities()))
}

// TestAClockThatJumpsAheadPurgesNothing until it has run steadily for an hour,
// neither of the log nor of the state.
func TestAClockThatJumpsAheadPurgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newClockedHub(t, Config{})
		k.publish(20)
		time.Sleep(2 * time.Hour)
		require.Equal(t, "20 events, 20 entities", k.kept())
		k.ahead = 40 * day
		for range 59 {
			require.Equal(t, "20 events, 20 entities", k.kept())
			time.Sleep(time.Minute)
		}
		require.Contains(t, k.out.String(), "put off")
		require.Contains(t, k.out.String(), "events=20 kept=20")
		k.ahead = 0 // it was put right in time
		require.Equal(t, "20 events, 20 entities", k.kept())
		k.ahead = -40 * day // and the other way round
		time.Sleep(2 * time.Hour)
		require.Equal(t, "20 events, 20 entities", k.kept())
		require.Zero(t, k.count.events.Load())
		require.NotContains(t, k.out.String(), "were purged")
	})
}

// TestAnOldLogIsPurgedByASteadyClock, with a line of the log and in the metrics.
func TestAnOldLogIsPurgedByASteadyClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newClockedHub(t, Config{})
		k.publish(20)
		require.Equal(t, "20 events, 20 entities", k.kept())
		time.Sleep(40 * day)
		require.Equal(t, "0 events, 0 entities", k.kept(), "a process that was there all the time")
		require.EqualValues(t, 20, k.count.events.Load())
		require.Contains(t, k.out.String(), `msg="old events were purged" events=20 from=1 through=20`)

		// After a start the clock is looked at anew: a broker that was off for long
		// waits for an hour.
		k = newClockedHub(t, Config{})
		k.publish(20)
		k.ahead = 40 * day
		require.Equal(t, "20 events, 20 entities", k.kept())
		time.Sleep(time.Hour)
		require.Equal(t, "0 events, 0 entities", k.kept())

		// Small steps, by which a clock is set right, are no jump.
		k = newClockedHub(t, Config{})
		k.publish(20)
		time.Sleep(31 * day)
		for range 60 {
			k.ahead += time.Second
			time.Sleep(time.Minute)
			k.clockSteadyFor(k.now())
		}
		require.Equal(t, "0 events, 0 entities", k.kept())
	})
}

// TestAPurgeOfLittleDoesNotWait: a tenth of the log at most, as every hour brings.
func TestAPurgeOfLittleDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, old := range []int{2, 3} {
			k := newClockedHub(t, Config{})
			k.publish(old)
			time.Sleep(31 * day)
			k.clock = clockWatch{} // as after a start
			k.publish(23 - old)
			require.Equal(t, old == 3, strings.HasPrefix(k.kept(), "23 events"), "%d of 23 are old", old)
			require.EqualValues(t, 2*(3-old), k.count.events.Load())
		}
	})
}

// TestATrustedClockPurgesAtOnce where the platform keeps it, and a retention
// that is shorter than an hour waits no longer than itself.
func TestATrustedClockPurgesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newClockedHub(t, Config{TrustClock: true})
		k.publish(20)
		k.ahead = 40 * day
		require.Equal(t, "0 events, 0 entities", k.kept())
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

// TestOldLogsWithTimesOfTheFutureHeal: a fix of 2046 that an older broker took
// is outranked by the next one, from the log and from the stored state alike.
func TestOldLogsWithTimesOfTheFutureHeal(t *testing.T) {
	const poisoned = `{"specversion":"1.0","id":"old","type":"equipment_location_updated","source":"/yardline",` +
		`"subject":"equipment/7","time":"%s","severity":"info",` +
		`"data":{"equipment_id":7,"location_name":"wrong","recorded_at":"2046-01-01T00:00:00Z"}}`
	for name, prepare := range map[string]func(t *testing.T, log *memlog.Log){
		"of the log": func(t *testing.T, log *memlog.Log) {},
		"of the stored state": func(t *testing.T, log *memlog.Log) {
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
			require.Less(t, before.Entities[0].Fields.Text("recorded_at"), "2046", "readers see no time of 2046")
			client := projection.NewStateFrom(before.Cursor, before.Entities)
			receipt, err := h.Publish(t.Context(), manager,
				[]byte(`{"type":"equipment_location_updated","data":{"equipment_id":7,"location_name":"right"}}`),
				PublishOptions{})
			require.NoError(t, err)
			require.Equal(t, "right", h.Entity("location/7").Fields.Text("location_name"))
			page, err := h.History(t.Context(), HistoryRequest{Grant: manager, Limit: 10})
			require.NoError(t, err)
			require.Equal(t, time.Now().Year(), page.Events[0].Time.Year(),
				"the history has the time when it was stored")
			client.Apply(page.Events[1], receipt.Cursor)
			require.Equal(t, "right", client.Get("location/7").Fields.Text("location_name"))
		})
	}
}

// TestTimesOfTheFutureAreRefused by the hub's own clock, alone and in a batch.
func TestTimesOfTheFutureAreRefused(t *testing.T) {
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
