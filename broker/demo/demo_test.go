package demo

import (
	"cmp"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// Over 3000 steps every event must be valid in strict mode, ids must be unique, all types of
// events must come, and the figures must be plausible.
func TestCompanyEmitsValidEventsOfAllTypes(t *testing.T) {
	for _, currency := range []string{"EUR", "KWD", "JPY", ""} {
		t.Run(currency, func(t *testing.T) { testCompany(t, currency) })
	}
}

func testCompany(t *testing.T, currency string) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	c := NewCompany(1, now, currency)
	state, types, ids := projection.NewState("k"), map[event.Type]int{}, map[string]bool{}
	apply := func(events []event.Event) {
		require.NotEmpty(t, events)
		for _, e := range events {
			_, remarks, err := event.Parse(e.AppendJSON(nil), event.Rules{Strict: true, Currency: currency, Now: now})
			require.NoError(t, err)
			require.Empty(t, remarks)
			require.False(t, ids[e.ID], e.ID)
			ids[e.ID] = true
			types[e.Type]++
			state.Apply(e, wire.Cursor{Epoch: "k", Seq: state.Cursor.Seq + 1})
		}
	}
	apply(c.OpeningDay())
	figures := state.Figures(now, projection.Installation{Currency: cmp.Or(currency, "EUR")})
	require.Positive(t, figures["active_rentals"].Count)
	require.Positive(t, figures["overdue_rentals"].Count)
	for range 3000 {
		now = now.Add(time.Second)
		apply(c.Step(now))
	}
	require.Len(t, types, len(event.Types), "%v", types)
	figures = state.Figures(now, projection.Installation{Currency: cmp.Or(currency, "EUR")})
	require.Positive(t, figures["active_rentals"].Count)
	require.Positive(t, figures["revenue_today"].Money[cmp.Or(currency, "EUR")])
	require.Less(t, figures["active_rentals"].Count, len(machines)+1)
}

func TestRunPublishesAnEventAgainAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var published int
		var failed bool
		err := Run(ctx, Config{Rate: 5, Seed: 1, Publish: func(context.Context, event.Event) error {
			if published == 3 && !failed {
				failed = true
				return context.DeadlineExceeded
			}
			published++
			return nil
		}})
		require.NoError(t, err)
		require.True(t, failed)
		require.InDelta(t, 60*5, published, 150)
	})
}

func TestOpeningDayHasEventsWithEverySeed(t *testing.T) {
	for seed := range uint64(300) {
		require.NotEmpty(t, NewCompany(seed, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), "EUR").OpeningDay())
	}
}
