package loop_test

import (
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

func toastCount(w *window) (n int) { v := w.View(); return len(v.Toasts) + v.More }

// The second tab had the focus when its client started.
func TestOnlyTheTabInUseShowsAToast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		o := wasmclient.Options{Snapshot: true, Toasts: true}
		first := openTab(t, b, in, o)
		tab := in.NewTab()
		tab.Happen(port.Focused)
		second := openOver(t, b, tab, o)
		publish(t, b, 1)
		synctest.Wait()
		require.Equal(t, 1, toastCount(first)+toastCount(second))
	})
}

func TestANewLeaderShowsNoToastBesideTheTabInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		o := wasmclient.Options{Snapshot: true, Toasts: true}
		first := openTab(t, b, in, o)
		second := openTab(t, b, in, o)
		third := openTab(t, b, in, o)
		third.Happen(port.Focused)
		synctest.Wait()
		late := openTab(t, b, in, o)
		first.close()
		second.close()
		synctest.Wait()
		third.Happen(port.Blurred)
		third.Happen(port.Focused)
		publish(t, b, 1)
		synctest.Wait()
		require.Equal(t, 1, toastCount(third)+toastCount(late))
	})
}

func TestEveryEventIsShownInSomeTabOrInASummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		o := wasmclient.Options{Snapshot: true, Toasts: true}
		a := openTab(t, b, in, o)
		a.Happen(port.Vanished)
		c := openTab(t, b, in, o) // visible, not focused
		for i := range 3 {
			publish(t, b, int64(i+1))
			synctest.Wait()
		}
		n := toastCount(a) + toastCount(c)
		c.Happen(port.Vanished)
		synctest.Wait()
		a.Happen(port.Appeared)
		synctest.Wait()
		require.NotZero(t, n+toastCount(a), "shown in no tab, then or later")
	})
}

func TestToastIsShownAfterTheTabInUseCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		o := wasmclient.Options{Snapshot: true, Toasts: true}
		first := openTab(t, b, in, o)
		second := openTab(t, b, in, o)
		second.Happen(port.Focused)
		synctest.Wait()
		second.Happen(port.Frozen) // pagehide
		second.close()             // the focus goes to another program
		publish(t, b, 1)
		synctest.Wait()
		require.Equal(t, 1, toastCount(first))
	})
}

// The places of the other log are no older than those of the former log.
func TestEventsOfAnotherLogAreNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		for i := range 50 {
			publish(t, b, int64(i+1))
		}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true, Toasts: true})
		w.Happen(port.Focused)
		b.Replace("other")
		b.Cut()
		settle()
		require.Equal(t, conn.Live, w.View().Status.State)
		publish(t, b, 1)
		synctest.Wait()
		require.NotEmpty(t, w.got)
		require.Equal(t, 1, toastCount(w))
	})
}

func TestToastsEndWhileTheClientIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true, Toasts: true})
		w.Happen(port.Focused)
		publish(t, b, 1)
		synctest.Wait()
		require.Equal(t, 1, toastCount(w))
		w.Pause()
		w.Happen(port.Vanished)
		time.Sleep(time.Second)
		w.Happen(port.Appeared)
		time.Sleep(time.Hour)
		require.Zero(t, toastCount(w), "it stays for ever")
	})
}

func TestNoSummaryOfWhatAnotherTabHasShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		o := wasmclient.Options{Snapshot: true, Toasts: true}
		first := openTab(t, b, in, o)
		second := openTab(t, b, in, o)
		second.Happen(port.Vanished)
		first.Happen(port.Focused)
		synctest.Wait()
		for i := range 3 {
			publish(t, b, int64(i+1))
		}
		synctest.Wait()
		require.Equal(t, 3, toastCount(first))
		time.Sleep(20 * time.Second)
		second.Happen(port.Appeared) // browsers show the new tab before they hide the old one
		synctest.Wait()
		first.Happen(port.Vanished)
		synctest.Wait()
		for _, x := range second.View().Toasts {
			t.Log(x.Text)
		}
		require.Zero(t, toastCount(second), "all were shown 20 s ago in the other tab")
	})
}

// A toast that stays until the user dismisses it is dropped too.
func TestToastsOfFormerRightsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		low, err := access.NewGrant(manager.User, manager.Name, []access.Role{access.Yard}, 0)
		require.NoError(t, err)
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true, Toasts: true})
		late, err := event.RentalOverdue(1, 3, "Ann Smith")
		require.NoError(t, err)
		b.Publish(late)
		synctest.Wait()
		require.Equal(t, 1, toastCount(w))
		require.Zero(t, w.View().Toasts[0].Until, "an error stays")
		b.Regrant(low)
		time.Sleep(time.Minute)
		require.True(t, w.View().Connected)
		require.Zero(t, toastCount(w))
	})
}
