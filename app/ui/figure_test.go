package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

func TestFiguresShowValuesAndTrends(t *testing.T) {
	figures := map[string]projection.Figure{
		"active_rentals":    {Count: 3},
		"revenue_today":     {Money: map[string]event.Money{"EUR": 1234567 * event.MoneyUnit}},
		"utilisation_pct":   {Count: 42},
		"payroll_run_state": {State: "processing", Done: 3, Total: 40},
		"sync_state":        {State: "none"},
	}
	trends := map[string]Trend{"active_rentals": {now.Add(-time.Hour), []float64{1, 2, 3}}}
	markup := html(Figures(figures, "EUR", trends, time.Time{}, now))
	requireParts(t, markup, `data-figure="active_rentals"`, `data-value="3"`, `data-value="EUR 1234567"`,
		"EUR\u00a01234567", "42%", "3 of 40", `data-value="processing 3/40"`, "▲ 2 since", "polyline", "nothing runs")
	require.NotContains(t, markup, "overdue_rentals", "a figure that the role may not see has no card")

	outdated := Figures(map[string]projection.Figure{"active_rentals": {}}, "EUR", nil, now, now)
	require.Contains(t, html(outdated), "as of ")
	noIncome := projection.Figure{Money: map[string]event.Money{}}
	require.Equal(t, "EUR\u00a00", figureText("revenue_today", noIncome, "EUR"))
}

func TestEveryFigureHasACardAndTexts(t *testing.T) {
	shown := map[string]bool{}
	for _, f := range figureSpecs {
		shown[f.key] = true
		require.NotContains(t, text.Of("figure."+f.key)+text.Of("figure."+f.key+".hint"), "⟨")
	}
	for key := range access.FigureRoles {
		require.True(t, shown[key], key)
	}
}

func TestChartsDescribeThemselves(t *testing.T) {
	require.NotContains(t, html(Sparkline([]float64{1})), "polyline")
	require.Contains(t, html(Columns([]int{1, 5, 2}, "3 minutes")), `aria-label="3 minutes"`)
	require.Contains(t, html(Shares(nil)), "Nothing in the last hour")
	shares := html(Shares([]Share{{"a", 1, "1"}, {"b", 4, "4"}}))
	require.Less(t, strings.Index(shares, ">b<"), strings.Index(shares, ">a<"), "the longest bar comes first")
}

// A machine that is out of order is known by more than its colour.
func TestPlanGathersMachinesAndStaysOnTheSheet(t *testing.T) {
	places := []Place{
		{ID: "1", Name: "A", Latitude: 52.5, Longitude: 13.4, Site: "Yard"},
		{ID: "2", Name: "B", Latitude: 52.5, Longitude: 13.4, Site: "Yard"},
		{ID: "3", Name: "C", Latitude: 52.6, Longitude: 13.5, Site: "Mitte", Down: true},
	}
	markup := html(Plan(places))
	requireParts(t, markup, "Plan of 3 machines at 2 sites", "plan-down")
	require.Equal(t, 2, strings.Count(markup, "plan-mark"))
	v := fit(places)
	for _, p := range places {
		x, y := v.at(p)
		require.True(t, x > 0 && x < planWidth && y > 0 && y < planHeight)
	}
	require.Contains(t, html(Plan(nil)), "No positions")
	require.Contains(t, html(Plan(places[:1])), "plan-mark")
}
