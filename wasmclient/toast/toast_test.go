package toast

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func rental(t *testing.T, id int64, status string) event.Event {
	t.Helper()
	e, err := event.RentalStatusUpdated(id, status, "")
	require.NoError(t, err)
	e.ID = fmt.Sprintf("%d-%s", id, status)
	return e
}

// texts returns the visible texts and the number of further toasts.
func texts(q *Queue) string {
	var all []string
	for _, t := range q.Visible() {
		all = append(all, t.Text)
	}
	return fmt.Sprintf("%s +%d", strings.Join(all, " | "), q.More())
}

func TestThreeToastsAreVisibleAndOthersWait(t *testing.T) {
	var q Queue
	for i := range int64(5) {
		q.Add(start.Add(time.Duration(i)*time.Second), rental(t, i+1, "active"), false)
	}
	require.Equal(t, "Rental #1: active | Rental #2: active | Rental #3: active +2", texts(&q))
	require.Equal(t, start.Add(5*time.Second), q.Next())
	q.Advance(q.Next())
	require.Equal(t, "Rental #2: active | Rental #3: active | Rental #4: active +1", texts(&q))
	q.Dismiss(start.Add(5*time.Second), q.Visible()[1].Key)
	require.Equal(t, "Rental #2: active | Rental #4: active | Rental #5: active +0", texts(&q))
	q.Advance(start.Add(time.Hour))
	require.Equal(t, " +0", texts(&q))
	require.True(t, q.Next().IsZero())
}

func TestErrorsStayUntilDismissed(t *testing.T) {
	var q Queue
	q.Add(start, event.Example(event.TypeRentalOverdue), false)
	require.True(t, q.Next().IsZero())
	q.Advance(start.Add(time.Hour))
	require.Equal(t, "Rental #124 is 3 days overdue · Jane Roe +0", texts(&q))
}

func TestToastReplacesARecentOneOfItsSubject(t *testing.T) {
	var q Queue
	q.Add(start, rental(t, 1, "active"), false)
	q.Add(start.Add(time.Second), rental(t, 1, "active"), false)
	require.Equal(t, "Rental #1: active +0", texts(&q))
	q.Add(start.Add(2*time.Second), rental(t, 1, "returned"), false)
	require.Equal(t, "Rental #1: returned +0", texts(&q))
	q.Add(start.Add(6*time.Second), rental(t, 1, "completed"), false)
	require.Equal(t, "Rental #1: returned | Rental #1: completed +0", texts(&q))
}

func TestFloodBecomesOneSummary(t *testing.T) {
	var q Queue
	q.Add(start, event.Example(event.TypeRentalOverdue), false)
	for i := range int64(40) {
		q.Add(start.Add(time.Duration(i)*10*time.Millisecond), rental(t, i+1, "active"), false)
	}
	require.Equal(t, "Rental #124 is 3 days overdue · Jane Roe | 40 × rental status updated +0", texts(&q))
	require.Equal(t, "summary", q.Visible()[1].ID)
}

func TestToastsBeyondTheQueueAreCounted(t *testing.T) {
	var q Queue
	for i := range int64(60) {
		q.Add(start.Add(time.Duration(i)*time.Second), rental(t, i+1, "active"), false)
	}
	require.Equal(t, "Rental #1: active | Rental #2: active | Rental #3: active +57", texts(&q))
}

func TestTwoPublishersMayUseOneID(t *testing.T) {
	var q Queue
	for i, cursor := range []string{"k-1", "k-2"} {
		e := rental(t, int64(i+1), "active")
		e.ID, e.Cursor = "1", cursor
		q.Add(start, e, false)
	}
	require.Equal(t, "Rental #1: active | Rental #2: active +0", texts(&q))
	q.Dismiss(start, q.Visible()[0].Key)
	require.Equal(t, "Rental #2: active +0", texts(&q))
}

func TestSummaryMakesRoomForWaitingToasts(t *testing.T) {
	var q Queue
	overdue := func(id int64) {
		e, err := event.RentalOverdue(id, 1, "")
		require.NoError(t, err)
		e.ID = fmt.Sprint("o", id)
		q.Add(start, e, false)
	}
	for id := range int64(3) {
		overdue(id + 1)
	}
	q.Add(start, rental(t, 9, "active"), false)
	require.Equal(t, 1, q.More())
	for id := range int64(3) {
		overdue(id + 4)
	}
	require.Equal(t, "Rental #9: active | 6 × rental overdue +0", texts(&q))
}

func TestLocationUpdatesMakeNoToasts(t *testing.T) {
	var q Queue
	e, err := event.EquipmentLocationUpdated(1, 2, 3)
	require.NoError(t, err)
	q.Add(start, e, false)
	require.Empty(t, q.Visible())
}

func TestHeldToastsKeepTheRestOfTheirTime(t *testing.T) {
	var q Queue
	q.Add(start, rental(t, 1, "active"), false)
	q.Hold(start.Add(2 * time.Second))
	q.Hold(start.Add(4 * time.Second))
	require.Zero(t, q.Next())
	q.Add(start.Add(20*time.Second), rental(t, 2, "active"), false)
	q.Advance(start.Add(time.Minute))
	require.Len(t, q.Visible(), 2)
	q.Release(start.Add(time.Minute))
	q.Release(start.Add(2 * time.Minute))
	require.Equal(t, start.Add(time.Minute+3*time.Second), q.Visible()[0].Until, "three of five seconds were left")
	require.Equal(t, start.Add(time.Minute+5*time.Second), q.Visible()[1].Until, "its time begins with Release")
	q.Advance(start.Add(time.Minute + 5*time.Second))
	require.Empty(t, q.Visible())
}

func TestMissedEventsBecomeOneToast(t *testing.T) {
	var q Queue
	q.AddMissed(start, 1)
	require.Equal(t, "One event while you were away", q.Visible()[0].Text)
	q.AddMissed(start, 12)
	require.Len(t, q.Visible(), 1)
	require.Equal(t, "12 events while you were away", q.Visible()[0].Text)
	require.Equal(t, "summary", q.Visible()[0].ID)
}

func TestScaleAndMaxFollowTheUser(t *testing.T) {
	var q Queue
	q.SetScale(2)
	q.SetMax(start, 2)
	for n := range int64(4) {
		q.Add(start, rental(t, n+1, "active"), false)
	}
	require.Len(t, q.Visible(), 2)
	require.Equal(t, 2, q.More())
	require.Equal(t, start.Add(10*time.Second), q.Visible()[0].Until)
	q.SetScale(Never)
	q.Advance(start.Add(10 * time.Second))
	require.Zero(t, q.Visible()[0].Until)
	q.SetMax(start, 3)
	require.Len(t, q.Visible(), 2)
	// On a narrower screen, the newest toasts wait again, and come back in their order.
	before := texts(&q)
	q.SetMax(start, 1)
	require.Equal(t, "Rental #3: active +1", texts(&q))
	q.SetMax(start, 2)
	require.Equal(t, before, texts(&q))
}

func TestAnnouncerChangesAtMostEveryTwoSeconds(t *testing.T) {
	var a Announcer
	require.Equal(t, "one", a.Say(start, "one"))
	require.Equal(t, "one", a.Say(start.Add(time.Second), "two"))
	require.Equal(t, "three", a.Say(start.Add(2*time.Second), "three"))
	require.Empty(t, a.Say(start.Add(time.Hour), ""))
}

func TestToastsFollowMutedTypesAndFormat(t *testing.T) {
	var q Queue
	q.SetMuted([]event.Type{event.TypeRentalOverdue})
	q.SetFormat(event.ToastFormat{
		Money: func(m event.Money, currency string) string { return m.String() + " of " + currency },
	})
	q.Add(start, event.Example(event.TypeRentalOverdue), false)
	q.Add(start, event.Example(event.TypePaymentReceived).Stamp("pay", start), false)
	require.Len(t, q.Visible(), 1)
	require.Equal(t, "Payment received: 1500 of EUR · rental #123", q.Visible()[0].Text)
	q.SetMuted(nil)
	q.Add(start, event.Example(event.TypeSystemNotification), false)
	notice := q.Visible()[1]
	require.Equal(t, "/events", notice.URL)
	require.Equal(t, "Details", notice.Action)
	require.Equal(t, start.Add(actionLifetime), notice.Until)
}
