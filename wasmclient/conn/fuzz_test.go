package conn

import (
	"math/rand"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// FuzzMachine plays random inputs, late ones too, and checks what must always be true: an active
// machine has set an alarm unless it follows a leading tab, the numbers of attempts grow, no event
// is delivered twice or out of order, and a connection stays denied until the user or the leading
// tab changes that.
func FuzzMachine(f *testing.F) {
	f.Add(int64(1), true)
	f.Add(int64(2), false)
	f.Fuzz(func(t *testing.T, seed int64, snapshot bool) {
		r := rand.New(rand.NewSource(seed))
		m := New(Config{Snapshot: snapshot, Ladder: DefaultLadder[:1+r.Intn(3)], Random: r.Float64})
		now, check := start, &checker{t: t}
		for range 200 {
			now = now.Add(time.Duration(r.Intn(20)) * time.Second)
			in := randomInput(r, check.attempt-r.Intn(2))
			before := m.Status()
			for _, e := range m.Step(now, in) {
				check.effect(e)
			}
			if _, isSnapshot := in.(Snapshot); isSnapshot {
				check.delivered = m.Cursor()
			}
			if m.isActive() && check.alarm.IsZero() && !(m.following && m.phase == streaming) {
				t.Fatalf("%T left nothing to wake it in %v", in, m.Status())
			}
			if before.State == Denied && m.Status().State != Denied {
				switch in.(type) {
				case Start, Stop, Upstream:
				default:
					t.Fatalf("%T revived a denied connection", in)
				}
			}
		}
	})
}

// checker follows the effects of one machine.
type checker struct {
	t         *testing.T
	alarm     time.Time
	attempt   int
	delivered wire.Cursor
}

func (c *checker) effect(e Effect) {
	switch e := e.(type) {
	case Alarm:
		c.alarm = e.At
	case Open:
		if e.Attempt <= c.attempt {
			c.t.Fatalf("attempt %d after %d", e.Attempt, c.attempt)
		}
		c.attempt = e.Attempt
	case FetchSnapshot:
		c.attempt = e.Attempt
	case Deliver:
		switch f := e.Frame.(type) {
		case *wire.Event, *wire.Heartbeat:
			if f.ReachedCursor().Seq <= c.delivered.Seq {
				c.t.Fatalf("%v after %v", f.ReachedCursor(), c.delivered)
			}
		}
		c.delivered = e.Frame.ReachedCursor()
	case Abort, Changed:
	}
}
