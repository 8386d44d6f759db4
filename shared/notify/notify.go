// Package notify is what a person wants to be told of, and how a push reads:
// the broker keeps to it when it pushes, the app when it shows toasts.
package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// Preferences are one person's, for all their devices.
type Preferences struct {
	Muted []event.Type `json:"muted"`           // these make no toast
	Push  []event.Type `json:"push"`            // these are pushed
	Quiet *QuietHours  `json:"quiet,omitempty"` // nothing is pushed then
}

// QuietHours are every day, in the person's own zone. Where From is after To
// they go over midnight.
type QuietHours struct {
	From string `json:"from"` // 22:00
	To   string `json:"to"`
	Zone string `json:"zone"` // of the IANA database, such as Europe/Berlin; "": the installation's
}

// pushedByDefault lists the types that are pushed to users without a choice.
var pushedByDefault = []event.Type{event.TypeMaintenanceRequired, event.TypeRentalOverdue, event.TypeTimesheetUpdated,
	event.TypePayrollProcessed, event.TypeLeaveRequestUpdated, event.TypeSystemNotification}

// DefaultPreferences returns the preferences of a user that has not chosen any. They name only
// types that the user may ever see.
func DefaultPreferences(g access.Grant) Preferences {
	p := Preferences{Muted: []event.Type{}, Push: []event.Type{}}
	for _, t := range pushedByDefault {
		if access.CanSee(g, t) {
			p.Push = append(p.Push, t)
		}
	}
	return p
}

// Check refuses what cannot be meant. The error is an *event.Problem.
func (p Preferences) Check() error {
	for at, types := range map[string][]event.Type{"/muted": p.Muted, "/push": p.Push} {
		if len(types) > len(event.Types) || slices.ContainsFunc(types, func(t event.Type) bool { return !t.Known() }) {
			return event.Refuse(at, "enum", "types of the vocabulary, each once")
		}
	}
	if p.Quiet == nil {
		return nil
	}
	from, to := minutes(p.Quiet.From), minutes(p.Quiet.To)
	switch {
	case from < 0:
		return event.Refuse("/quiet/from", "format", "a time of day such as 22:00")
	case to < 0 || to == from:
		return event.Refuse("/quiet/to", "format", "another time of day, such as 06:00")
	case len(p.Quiet.Zone) > 64:
		return event.Refuse("/quiet/zone", "format", "a time zone such as Europe/Berlin")
	}
	return nil
}

// minutes is a time of day, HH:MM, since midnight; -1 where it is none.
func minutes(clock string) int {
	at, err := time.Parse("15:04", clock)
	if err != nil || len(clock) != 5 {
		return -1
	}
	return 60*at.Hour() + at.Minute()
}

// Contains tells whether a time of day, in the quiet hours' zone, is within.
func (q QuietHours) Contains(hour, minute int) bool {
	now, from, to := 60*hour+minute, minutes(q.From), minutes(q.To)
	if from < to {
		return from <= now && now < to
	}
	return now >= from || now < to
}

// A Message is the body of a push. It passes through a vendor's service and
// lies on a locked screen, so it holds operational fields alone: no pay, no
// money, nothing of HR, customers or precise places.
type Message struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	Tag   string `json:"tag"` // a later message of the same subject takes its place
	URL   string `json:"url"` // a path of the app
	// Severity lets a badge count what failed while the app was closed.
	Severity event.Severity `json:"severity,omitempty"`
}

// maxBody bounds a body, in characters.
const maxBody = 180

// NewMessage says what an event is, as the reader may see it, without what a
// push must not hold.
func NewMessage(e event.Event) Message {
	m := Message{Title: titles[e.Type], Tag: Topic(e), URL: PagePath(e), Severity: e.Severity}
	if e.Module() == event.ModuleEmployee { // all of it is HR's
		m.Body = "Open Yardline to see it."
		return m
	}
	bare := event.Object{}
	for _, f := range e.Data {
		if spec, declared := event.Spec(e.Type, f.Name); declared && (spec.Class == event.Operational || spec.Class == event.System) {
			bare = append(bare, f)
		}
	}
	e.Data = bare
	m.Body, _ = event.ToastText(e, false)
	if utf8.RuneCountInString(m.Body) > maxBody {
		m.Body = string([]rune(m.Body)[:maxBody-1]) + "…"
	}
	return m
}

var titles = map[event.Type]string{
	event.TypeRentalStatusUpdated:      "Rental",
	event.TypePaymentReceived:          "Payment",
	event.TypeMaintenanceRequired:      "Maintenance",
	event.TypeRentalOverdue:            "Overdue",
	event.TypeEquipmentLocationUpdated: "Equipment",
	event.TypeTimesheetUpdated:         "A time sheet has changed",
	event.TypePayrollProcessed:         "There is news about payroll",
	event.TypeLeaveRequestUpdated:      "A leave request has changed",
	event.TypeSystemNotification:       "Notice",
	event.TypeSyncProgress:             "Sync",
}

// Topic names the subject of an event without giving it away: what is not
// delivered yet of an older push under it is dropped (RFC 8030, section 5.4: at
// most 32 characters of base64url).
func Topic(e event.Event) string {
	sum := sha256.Sum256([]byte(e.Subject))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:32]
}

// PagePath is the page on which the app shows the subject of an event.
func PagePath(e event.Event) string {
	kind, id, _ := strings.Cut(e.Subject, "/")
	switch e.Module() {
	case event.ModuleRental:
		return "/rentals/" + id
	case event.ModuleEquipment:
		return "/equipment/" + url.PathEscape(id)
	case event.ModuleEmployee:
		return "/employees"
	case event.ModuleCustomer:
		return "/customers"
	}
	if kind == "sync" {
		return "/customers"
	}
	return "/events"
}
