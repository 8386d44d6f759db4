package testkit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// LoadEvent returns an event with this id as JSON. Every third one changes the status of a rental, the others are
// payments.
func LoadEvent(id string, i int) json.RawMessage {
	if i%3 == 0 {
		return fmt.Appendf(
			nil,
			`{"type":"rental_status_updated","id":%q,"data":{"rental_id":%d,"status":%q}}`,
			id,
			1+i%50,
			[]string{"active", "returned"}[i%2],
		)
	}
	const payment = `{"type":"payment_received","id":%q,` +
		`"data":{"payment_id":%q,"rental_id":%d,"amount":1,"payment_method":"cash"}}`
	return fmt.Appendf(nil, payment, id, id, 1+i%9)
}

// RequireAcknowledgedEvents reads all events up to the cursor last. The log must have each acknowledged event once, and
// the broker's state must be that of all events.
func RequireAcknowledgedEvents(t *testing.T, s *stack.Stack, acked map[string]wire.Cursor, last wire.Cursor) {
	t.Helper()
	manager := s.APIFor("4", 0, access.Manager)
	state, stored := projection.NewState(last.Epoch), map[string]wire.Cursor{}
	answer := Get(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", s.TokenFor("4", 0, access.Manager))
	defer answer.Body.Close()
	ReadFrames(t, answer.Body, func(f wire.Frame) bool {
		if _, isGap := f.(*wire.Gap); isGap {
			t.Fatal("a gap in a complete log")
		}
		if e, ok := f.(*wire.Event); ok {
			require.Zero(t, stored[e.Event.ID], "doubled: %s", e.Event.ID)
			require.Equal(t, state.Cursor.Seq+1, e.Cursor.Seq)
			stored[e.Event.ID] = e.Cursor
			state.Apply(e.Event, e.Cursor)
		}
		return f.ReachedCursor() == last
	})
	for id, cursor := range acked {
		require.Equal(t, cursor, stored[id], "acknowledged: %s", id)
	}
	snapshot, err := manager.Snapshot(Context(t))
	require.NoError(t, err)
	require.Equal(t, last, snapshot.Cursor)
	require.Equal(t, encodeEntities(t, state.Entities()), encodeEntities(t, snapshot.Entities))
	t.Logf("%d acknowledged and %d stored", len(acked), len(stored))
}

// encodeEntities returns the entities of a state as text, for comparison. It sorts the slice.
func encodeEntities(t *testing.T, entities []*projection.Entity) string {
	slices.SortFunc(entities, func(a, b *projection.Entity) int { return strings.Compare(a.Key, b.Key) })
	raw, err := json.Marshal(entities)
	require.NoError(t, err)
	return string(raw)
}
