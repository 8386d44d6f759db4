package loop_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
)

// The cookie with which the stream was opened expires, and the browser has another one by then. No tab shows anything.
func TestRenewedCookieContinuesSilently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		other := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		settle()
		before := [2]int{len(w.Transitions()), len(other.Transitions())}
		publish(t, b, 1)
		b.Bye(wire.ByeExpired)
		publish(t, b, 2)
		synctest.Wait()
		for i, tab := range []*window{w, other} {
			require.Equal(t, conn.Live, tab.View().Status.State)
			require.Equal(t, []string{"0", "1"}, tab.got)
			require.Len(t, tab.Transitions(), before[i], "%v", tab.Transitions())
		}
	})
}

func TestEveryTabIsDeniedWhenTheSessionEndsAndJoinsWhenOneIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		var all []*window
		for range 3 {
			all = append(all, openTab(t, b, in, wasmclient.Options{Snapshot: true}))
		}
		settle()
		b.Refuse(fake.Refusal(401, "expired"))
		b.Bye(wire.ByeExpired)
		settle()
		for _, tab := range all {
			require.Equal(t, conn.Denied, tab.View().Status.State)
			require.Equal(t, "expired", tab.View().Status.Code)
		}
		b.Refuse(nil)
		time.Sleep(time.Hour)
		require.Equal(t, conn.Denied, all[2].View().Status.State, "nobody has signed in")
		all[1].Connect()
		settle()
		publish(t, b, 1)
		synctest.Wait()
		for _, tab := range all {
			require.Equal(t, conn.Live, tab.View().Status.State)
			require.Equal(t, []string{"0"}, tab.got)
		}
		require.Equal(t, 1, b.Streams())
	})
}
