package loop

import (
	"context"
	"sync"
	"time"

	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// A driver handles messages and carries out the effects of the machines. Only Run's goroutine uses it.
type driver struct {
	*Loop
	ctx            context.Context // Run's; its end stops all that the driver starts
	connAlarm      alarm           // of the connection's machine
	clockAlarm     alarm
	clockCheckedAt time.Time
	aborts         map[int]context.CancelFunc // of the attempts under way, by their numbers
	goroutines     sync.WaitGroup             // all that the driver started
	group          *group                     // nil without a page
	keeper         keeper
	attention      attention
	cause          string // the result of causeOf for the message that is being handled
}

const (
	// clockInterval is the time between two checks of the clock.
	clockInterval = 10 * time.Second

	// sleepJump is the least jump of the clock that counts as a sleep of the computer. It is longer than a minute,
	// because browsers slow the timers of a hidden page down to one a minute.
	sleepJump = 90 * time.Second
)

// Run connects, and stays connected until ctx ends. It starts disconnected if Config.Disabled is set. All
// goroutines that it starts have ended when it returns.
func (l *Loop) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	d := &driver{Loop: l, ctx: ctx, aborts: map[int]context.CancelFunc{}}
	d.connAlarm = alarm{mailbox: l.mailbox, message: connMessage{conn.Tick{}}}
	d.clockAlarm = alarm{mailbox: l.mailbox, message: clockDue{}}
	d.attention.alarm = alarm{mailbox: l.mailbox, message: toastsChanged{}}
	d.keeper = keeper{
		d:     d,
		jobs:  newMailbox[func()](),
		alarm: alarm{mailbox: l.mailbox, message: outboxMessage{outbox.Tick{}}},
	}
	defer d.stopAlarms()
	defer d.goroutines.Wait()
	defer cancel()
	d.goroutines.Go(d.keeper.runJobs)
	defer l.end()
	if l.cfg.Page != nil {
		d.group = newGroup(d)
		defer d.group.close()
	}
	d.restore()
	if !l.cfg.Disabled {
		d.handle(connMessage{conn.Start{}})
	}
	d.keeper.updateLead()
	d.handleMessages()
}

// handleMessages handles messages until ctx ends.
func (d *driver) handleMessages() {
	d.clockCheckedAt = time.Now()
	d.checkClock()
	for {
		select {
		case m := <-d.messages:
			d.handle(m)
		case <-d.mailbox.ready:
			for _, m := range d.mailbox.takeAll() {
				d.handle(m)
			}
		case <-d.ctx.Done():
			return
		}
	}
}

// stopAlarms stops all alarms.
func (d *driver) stopAlarms() {
	for _, a := range []*alarm{&d.connAlarm, &d.clockAlarm, &d.keeper.alarm, &d.attention.alarm} {
		a.set(time.Time{})
	}
	if d.group != nil {
		d.group.alarm.set(time.Time{})
	}
}

// handle handles one message.
func (d *driver) handle(m message) {
	d.cause = causeOf(m)
	switch m := m.(type) {
	case alarmFired:
		if m.setCount == m.alarm.setCount {
			d.handle(m.alarm.message)
		}
		return
	case clockDue:
		d.checkClock()
		return
	case toastsChanged:
		d.advanceToasts(time.Now())
		return
	case storageRecovered:
		d.keeper.rewriteStorage()
		return
	case itemWritten:
		d.keeper.broadcast(m.item)
		return
	case outboxMessage:
		d.keeper.step(m.input)
		return
	case frameMessage:
		d.step(m.frame)
		return
	case batchEnd:
	case snapshotFetched:
		d.handleSnapshot(m)
	case connMessage:
		if _, isStart := m.input.(conn.Start); isStart && d.state.Machine.Status().Connected() {
			return // An existing connection is kept.
		}
		d.handleConnInput(m.input)
	case reconnect:
		d.handleReconnect()
	case historyRead:
		d.group.handleHistoryRead(m.attempt)
	case memberMessage:
		d.group.stepMember(m.input)
	case tabMessage:
		d.group.handleMessage(m.message)
	case pageMessage:
		d.handlePageEvent(m.event)
	}
	d.group.flush()
}

// handleConnInput gives an input to the connection's machine, or to the group if there is one.
func (d *driver) handleConnInput(in conn.Input) {
	if d.group == nil {
		d.step(in)
		return
	}
	d.group.handleConnInput(in)
}

// handleReconnect drops the connection and makes another one. In a tab that follows, the tab that leads does so.
func (d *driver) handleReconnect() {
	if d.group == nil {
		d.step(conn.Start{})
		return
	}
	d.group.reconnect()
}

// handlePageEvent handles an event of the page. Without a group there is none.
func (d *driver) handlePageEvent(e port.PageEvent) {
	now := time.Now()
	switch e {
	case port.Appeared:
		d.releaseToasts(now)
		d.group.stepMember(tabs.Appeared{})
	case port.Vanished:
		d.keeper.saveState(now, true)
		d.holdToasts(now)
		d.group.stepMember(tabs.Vanished{})
	case port.Focused:
		d.attention.otherTab = ""
		d.group.post(tabs.Message{Kind: tabs.Focus})
	case port.Blurred:
		d.group.post(tabs.Message{Kind: tabs.Blur})
	case port.Frozen:
		d.group.freeze()
	case port.Thawed:
		d.group.thaw()
	case port.Online:
		d.step(conn.Online{})
	case port.Offline:
		d.step(conn.GoneOffline{})
	}
}

// checkClock notices that the computer slept. It also saves the state from time to time, gives the storage what it
// missed, and verifies that the storage still has the outbox.
func (d *driver) checkClock() {
	now := time.Now()
	if hasSlept(d.clockCheckedAt, now) {
		d.handle(connMessage{conn.Woke{}})
	}
	d.clockCheckedAt = now
	d.keeper.saveState(now, false)
	d.keeper.rewriteStorage()
	d.keeper.verifyStorage()
	d.clockAlarm.set(now.Add(clockInterval))
}

// hasSlept reports whether the computer slept between two checks of the clock. It compares wall clocks, because the
// monotonic clock may stand still while the computer sleeps.
func hasSlept(last, now time.Time) bool { return now.Round(0).Sub(last.Round(0)) > sleepJump }
