package loop

import "time"

// An alarm gives Run an input at a time. It calls, where a timer's channel in
// Run's select would do: Go's race detector crashes in a select that finds such a
// timer expired in virtual time. Only Run's goroutine uses it.
type alarm struct {
	mailbox *mailbox
	input   any
	set     int // counts settings: what an earlier one brings is out of date
	timer   *time.Timer
}

// rung says that an alarm went off.
type rung struct {
	alarm *alarm
	set   int
}

// at sets the alarm; the zero time sets none.
func (a *alarm) at(when time.Time) {
	a.set++
	if a.timer != nil {
		a.timer.Stop()
	}
	if when.IsZero() {
		return
	}
	r := rung{a, a.set}
	a.timer = time.AfterFunc(time.Until(when), func() { a.mailbox.put(r) })
}
