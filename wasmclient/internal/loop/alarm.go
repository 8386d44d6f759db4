package loop

import "time"

// An alarm sends Run a message at a time. It uses a timer with a callback, because Go's race detector crashes in a
// select that finds an expired timer's channel in virtual time. Only Run's goroutine uses it.
type alarm struct {
	mailbox *mailbox[message]
	message message
	setting int // counts the calls of set; an alarmFired of an earlier setting is out of date
	timer   *time.Timer
}

// set sets the alarm in place of any earlier setting. The zero time sets none.
func (a *alarm) set(when time.Time) {
	a.setting++
	if a.timer != nil {
		a.timer.Stop()
	}
	if when.IsZero() {
		return
	}
	fired := alarmFired{a, a.setting}
	a.timer = time.AfterFunc(time.Until(when), func() { a.mailbox.put(fired) })
}
