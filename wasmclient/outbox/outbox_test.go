package outbox

import (
	"cmp"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/randtest"
	"github.com/snd-rental/yardline/shared/wire"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func at(seq uint64) wire.Cursor { return wire.Cursor{Epoch: "k", Seq: seq} }

func item(id, key string, based uint64) Item {
	i := Item{ID: id, Key: key, State: Queued, Written: start}
	if based > 0 {
		i.Based = at(based)
	}
	return i
}

// sends returns the ids of the items that effects send.
func sends(effects []Effect) (ids []string) {
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			ids = append(ids, s.Item.ID)
		}
	}
	return ids
}

func TestItemsAreSentInOrderAndOneAtATime(t *testing.T) {
	var m Machine
	items := []Item{item("2", "rental/1", 5), item("1", "rental/1", 5), item("3", "", 0)}
	require.Empty(t, sends(m.Step(start, Learn{items})), "it does not lead")
	require.Equal(t, []string{"1"}, sends(m.Step(start, Lead{true})))
	require.Empty(t, sends(m.Step(start, Lead{true})), "one is under way")

	effects := slices.Clone(m.Step(start, Answered{ID: "1", Cursor: at(9)}))
	require.Equal(t, []string{"2"}, sends(effects))
	require.Contains(t, effects, Forget{"1"})
	require.Equal(t, at(9), m.Items()[1].Based, "the second was based on what the first led to")

	moved := Answered{ID: "2", Status: 409, Code: "entity_moved", Problem: "It has changed."}
	effects = slices.Clone(m.Step(start, moved))
	require.Equal(t, []string{"3"}, sends(effects), "what was refused does not hold up the rest")
	require.Equal(t, Rejected, m.Items()[1].State)
	require.Equal(t, "It has changed.", m.Items()[1].Problem)

	m.Step(start, Answered{ID: "3", Cursor: at(10)})
	effects = m.Step(start, Retry{"2"})
	require.Equal(t, []string{"2"}, sends(effects))
	require.Zero(t, m.Items()[1].Based, "the user has decided")
	m.Step(start, Discard{"2"})
	require.Len(t, m.Items(), 3, "it is under way: too late")
	m.Step(start, Answered{ID: "2", Status: 422, Code: "invalid_event"})
	m.Step(start, Discard{"2"})
	require.Len(t, m.Items(), 2)
	effects = slices.Clone(m.Step(start, Learn{[]Item{{ID: "2", Rev: 1, State: Queued}}}))
	require.Len(t, m.Items(), 2, "another tab had not heard")
	require.Equal(t, Gone, effects[0].(Broadcast).Item.State, "the machine sends the state to the other tabs")
}

// If a proxy refuses an item while the broker can be reached, only items about the same subject
// wait. After the last try, the user decides.
func TestItemRefusedByProxyHoldsUpItsSubjectAlone(t *testing.T) {
	about := func(id, subject string) Item {
		i := item(id, "", 0)
		i.Subject = subject
		return i
	}
	var m Machine
	m.Step(start, Lead{true})
	now := start
	require.Equal(t, []string{"1"}, sends(m.Step(now, Learn{[]Item{about("1", "rental/1")}})))
	m.Step(now, Learn{[]Item{about("2", "rental/1"), about("3", "rental/2")}})
	refused := Answered{
		ID:        "1",
		Status:    413,
		Code:      "http_413",
		Problem:   "The answer did not come from the broker.",
		Reachable: true,
	}
	require.Equal(t, []string{"3"}, sends(m.Step(now, refused)))
	require.Equal(t, []Effect{Alarm{now.Add(time.Second)}}, m.Step(now, Answered{ID: "3", Cursor: at(1)})[2:])
	for try := 2; try <= maxTries; try++ {
		now = now.Add(pause(try - 2))
		require.Equal(t, []string{"1"}, sends(m.Step(now, Tick{})), "try %d", try)
		effects := m.Step(now, refused)
		if try < maxTries {
			require.Equal(t, []Effect{Alarm{now.Add(pause(try - 1))}}, effects, "try %d", try)
		} else {
			require.Equal(t, []string{"2"}, sends(effects))
		}
	}
	require.Equal(t, Rejected, m.Items()[0].State)
	require.Equal(t, "http_413", m.Items()[0].Code)
	require.Greater(t, now.Sub(start), 3*time.Minute)
	m.Step(now, Answered{ID: "2", Cursor: at(2)})
	require.Equal(t, []string{"1"}, sends(m.Step(now, Retry{"1"})))
	require.Equal(t, []Effect{Alarm{now.Add(time.Second)}}, m.Step(now, refused), "the tries count from the beginning")
	require.Equal(t, []string{"1"}, sends(m.Step(now, Lead{true})), "a tab that begins to lead tries at once")
}

func TestAnswersThatAreNotFinalAreTriedAgain(t *testing.T) {
	for _, a := range []Answered{
		{}, {Status: 503}, {Status: 507}, {Status: 401}, {Status: 429},
		{Status: 404, Code: "http_404"}, {Status: 409, Code: "regranted"},
	} {
		var m Machine
		m.Step(start, Lead{true})
		m.Step(start, Learn{[]Item{item("1", "", 0)}})
		a.ID = "1"
		now := start
		for n, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			effects := m.Step(now, a)
			require.Equal(t, []Effect{Alarm{now.Add(want * time.Second)}}, effects, "%v, failure %d", a, n)
			now = now.Add(want * time.Second)
			require.Equal(t, []string{"1"}, sends(m.Step(now, Tick{})))
		}
		a.RetryAfter = time.Hour
		require.Equal(t, []Effect{Alarm{now.Add(time.Hour)}}, m.Step(now, a))
		require.Equal(t, []string{"1"}, sends(m.Step(now, Lead{true})), "the broker is back")
	}
}

func TestOldItemsAreLookedUpFirst(t *testing.T) {
	var m Machine
	m.Step(start, Lead{true})
	first := slices.Clone(m.Step(start, Learn{[]Item{item("1", "", 0)}}))[0].(Send)
	require.False(t, first.LookUpFirst)
	// The tab dies before the answer. Another one finds the item as it was saved.
	var heir Machine
	heir.Step(start, Learn{[]Item{first.Item}})
	late := heir.Step(start.Add(51*time.Minute), Lead{true})[0].(Send)
	require.True(t, late.LookUpFirst)
	heir = Machine{}
	heir.Step(start, Learn{[]Item{first.Item}}) // or as a tab had it that never heard of the sending
	require.False(t, heir.Step(start.Add(49*time.Minute), Lead{true})[0].(Send).LookUpFirst)
}

func TestOldSentItemsAreForgotten(t *testing.T) {
	var m Machine
	m.Step(start, Lead{true})
	for n := range 3 * maxOver {
		id := fmt.Sprintf("%04d", n)
		m.Step(start, Learn{[]Item{item(id, "", 0)}})
		m.Step(start, Answered{ID: id, Cursor: at(uint64(n + 1))})
	}
	require.Len(t, m.Items(), maxOver)
}

// Random tabs lead, crash and hear each other; one broker remembers keys. It must store each item
// once, in the order of writing.
func TestTabsTogetherStoreEachItemOnce(t *testing.T) {
	for seed := range randtest.Seeds(300) {
		r := rand.New(rand.NewSource(seed))
		disk := map[string]Item{}
		var log []Item // the broker's
		tabs := []*Machine{{}, {}, {}}
		leader := 0
		var flights []Send // under way, of the leader
		var run func(tab int, effects []Effect)
		step := func(tab int, in Input) { run(tab, slices.Clone(tabs[tab].Step(start, in))) }
		run = func(tab int, effects []Effect) {
			for _, e := range effects {
				switch e := e.(type) {
				case Save:
					disk[e.Item.ID] = e.Item
				case Forget:
					delete(disk, e.ID)
				case Send:
					disk[e.Item.ID] = e.Item
					flights = append(flights, e)
				case Broadcast:
					for other := range tabs {
						if other != tab {
							step(other, Learn{[]Item{e.Item}})
						}
					}
				}
			}
		}
		stored := func() []Item {
			var all []Item
			for _, i := range disk {
				all = append(all, i)
			}
			return all
		}
		step(0, Lead{true})
		written := 0
		for n := 0; n < 200 || len(disk) > 0 || len(flights) > 0; n++ {
			require.Less(t, n, 5000)
			switch k := r.Intn(10); {
			case k < 3 && n < 200: // the user writes
				written++
				i := item(fmt.Sprintf("%05d", written), fmt.Sprint("rental/", r.Intn(3)), 1)
				disk[i.ID] = i
				tab := r.Intn(len(tabs))
				step(tab, Learn{[]Item{i}})
				run(tab, []Effect{Broadcast{i}})
			case k < 7 && len(flights) > 0: // the broker answers, or the answer is lost
				f := flights[0]
				flights = flights[1:]
				place := slices.IndexFunc(log, func(i Item) bool { return i.ID == f.Item.ID })
				if place < 0 && r.Intn(4) > 0 {
					place = len(log)
					log = append(log, f.Item)
				}
				if place >= 0 && r.Intn(3) > 0 {
					step(leader, Answered{ID: f.Item.ID, Cursor: at(uint64(place + 1))})
				} else {
					step(leader, Answered{ID: f.Item.ID})
					step(leader, Lead{true})
				}
			case k == 7: // the leader crashes; another tab leads and reads the disk
				flights = nil
				tabs[leader] = &Machine{}
				leader = r.Intn(len(tabs))
				step(leader, Learn{stored()})
				step(leader, Lead{true})
			}
		}
		require.Len(t, log, written, "seed %d", seed)
		byID := func(a, b Item) int { return cmp.Compare(a.ID, b.ID) }
		require.True(t, slices.IsSortedFunc(log, byID), "seed %d", seed)
	}
}
