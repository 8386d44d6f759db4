package store

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

var (
	now     = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	manager = access.Grant{User: "1", Name: "manager", Roles: []access.Role{access.Manager}}
)

func place(seq int) wire.Cursor { return wire.Cursor{Epoch: "k", Seq: uint64(seq)} }

// rental returns the nth event of the log, in which rental n becomes active.
func rental(t *testing.T, n int) event.Event {
	t.Helper()
	e, err := event.RentalStatusUpdated(int64(n), "active", "")
	require.NoError(t, err)
	e.ID, e.Cursor = fmt.Sprint(n), place(n).String()
	return e
}

func snapshotOf(g access.Grant, at int) projection.Snapshot {
	return projection.NewSnapshot(place(at), nil, g, now, projection.Installation{Currency: "EUR"})
}

// ids returns the ids of the history, newest first.
func ids(s *Store) (all []string) {
	for _, r := range s.Events() {
		all = append(all, r.ID)
	}
	return all
}

func TestHistoryKeepsTheLastEventsOnce(t *testing.T) {
	s := New(3)
	last := 0
	for _, n := range []int{1, 2, 3, 3, 2, 4, 5} {
		_, news := s.Add(rental(t, n), now, n == 4)
		require.Equal(t, n > last, news, "event %d", n)
		last = max(last, n)
	}
	require.Equal(t, []string{"5", "4", "3"}, ids(s))
	require.True(t, s.Events()[1].Replayed)
	require.Equal(t, 5, s.Total())
	require.Equal(t, map[event.Type]int{event.TypeRentalStatusUpdated: 5}, s.Counts())
	s.Counts()[event.TypeRentalStatusUpdated] = 0
	require.Equal(t, 5, s.Counts()[event.TypeRentalStatusUpdated], "a copy")
	before := s.Events()
	s.Add(rental(t, 6), now, false)
	require.Equal(t, "5", before[0].ID, "what was handed out does not change")
	s.Clear()
	require.Empty(t, s.Events())
	require.Empty(t, s.Counts())
	require.Zero(t, s.Total())
	require.Equal(t, DefaultMax, New(0).max)
}

func TestFiguresFollowTheEventsAfterTheSnapshot(t *testing.T) {
	s := New(0)
	s.Apply(rental(t, 1), place(1))
	require.Nil(t, s.Figures(manager, now))
	require.Nil(t, s.Entities())
	require.Zero(t, s.Cursor())
	s.Load(snapshotOf(manager, 1), now)
	for n := 2; n < 5; n++ {
		s.Apply(rental(t, n), place(n))
	}
	require.Equal(t, "3", s.Figures(manager, now)["active_rentals"].String())
	require.Len(t, s.Entities(), 3)
	require.Equal(t, place(4), s.Cursor())
	require.Equal(t, "EUR", s.Currency())
}

// The stream or the snapshot may be the first to name the new grant.
func TestAnotherGrantClearsTheHistory(t *testing.T) {
	low := access.Grant{User: "1", Name: "manager", Roles: []access.Role{access.Yard}}
	for name, change := range map[string]func(s *Store, g access.Grant){
		"stream":   func(s *Store, g access.Grant) { s.SetGrant(g.ID()) },
		"snapshot": func(s *Store, g access.Grant) { s.Load(snapshotOf(g, 1), now) },
	} {
		t.Run(name, func(t *testing.T) {
			s := New(0)
			s.Add(rental(t, 1), now, false)
			change(s, manager)
			change(s, manager)
			require.Equal(t, []string{"1"}, ids(s), "the first grant is no change")
			change(s, low)
			require.Empty(t, ids(s))
			require.Zero(t, s.Total())
		})
	}
}

func TestExportedStoreIsRestoredAsReplayed(t *testing.T) {
	s := New(0)
	_, ok := s.Export(now)
	require.False(t, ok, "there is no snapshot yet")
	s.Load(snapshotOf(manager, 0), now.Add(-time.Hour)) // this device's clock is an hour behind
	for n := 1; n < 4; n++ {
		s.Apply(rental(t, n), place(n))
		s.Add(rental(t, n), now, false)
	}
	saved, ok := s.Export(now.Add(-time.Hour))
	require.True(t, ok)
	require.Equal(t, now, saved.Snapshot.Time, "by the broker's clock")
	require.Equal(t, place(3), saved.Snapshot.Cursor)
	raw, err := json.Marshal(saved)
	require.NoError(t, err)
	var read Saved
	require.NoError(t, json.Unmarshal(raw, &read))
	again := New(2)
	again.Restore(read, now.Add(-time.Hour))
	require.Equal(t, []string{"3", "2"}, ids(again), "as many as it keeps")
	require.True(t, again.Events()[0].Replayed)
	require.Equal(t, s.Figures(manager, now), again.Figures(manager, now))
	require.Equal(t, place(3), again.Cursor())
}

func TestTodayIsTheDayOfTheInstallation(t *testing.T) {
	s := New(DefaultMax)
	require.Empty(t, s.Today(now))
	for offset, day := range map[int]string{
		0:          "2026-11-25",
		14 * 3600:  "2026-11-25",
		16 * 3600:  "2026-11-26",
		-10 * 3600: "2026-11-24",
	} {
		installation := projection.Installation{Currency: "EUR", Zone: projection.Zone{Offset: offset}}
		s.Load(projection.NewSnapshot(place(1), nil, manager, now, installation), now)
		require.Equal(t, day, s.Today(now), offset)
	}
}

// A state that was stored by an older broker may have times of the far future. The next event must win.
func TestRestoredStateWithFutureTimesIsReplaced(t *testing.T) {
	fix := func(at time.Time, place string) event.Event {
		e, err := event.New(event.TypeEquipmentLocationUpdated, map[string]any{"equipment_id": 7,
			"location_name": place})
		require.NoError(t, err)
		return e.Stamp(place, at)
	}
	state := projection.NewState("k")
	state.Apply(fix(now.AddDate(20, 0, 0), "wrong"), place(1))
	kept := snapshotOf(manager, 1)
	kept.Entities = state.Entities()
	s := New(3)
	s.Restore(Saved{Snapshot: kept}, now.Add(time.Hour))
	s.Apply(fix(now.Add(time.Hour), "right"), place(2))
	require.Equal(t, "right", s.Entities()[0].Fields.Text("location_name"))
}
