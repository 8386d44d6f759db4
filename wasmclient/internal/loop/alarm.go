package loop

import "time"

// An alarm sends a message to Run at the time that is set. It uses a timer with a callback, because Go's race detector
// crashes in a select that finds an expired timer's channel in virtual time. Only Run's goroutine uses it.
type alarm struct {
	mailbox  *mailbox[message]
	message  message
	setCount int // the number of calls of set; an alarmFired with an earlier count is out of date
	timer    *time.Timer
}

// set sets the alarm in place of any earlier setting. The zero time only ends the earlier one.
func (a *alarm) set(when time.Time) {
	a.setCount++
	if a.timer != nil {
		a.timer.Stop()
	}
	if when.IsZero() {
		return
	}
	fired := alarmFired{a, a.setCount}
	a.timer = time.AfterFunc(time.Until(when), func() { a.mailbox.put(fired) })
}
