// Package notify holds the preferences of a user about notifications, and the text of a
// push notification. The broker follows them when it pushes, and the app when it shows
// toasts.
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

// Preferences say which notifications a user gets, on all devices.
type Preferences struct {
	// Muted are the types that make no toast.
	Muted []event.Type `json:"muted"`
	// Push are the types that the broker pushes.
	Push []event.Type `json:"push"`
	// Quiet are the hours in which the broker pushes nothing. Nil means none.
	Quiet *QuietHours `json:"quiet,omitempty"`
}

// QuietHours are the same hours of every day. They include midnight when From is after
// To.
type QuietHours struct {
	// From is the time of day at which they begin, such as 22:00.
	From string `json:"from"`
	// To is the time of day at which they end, such as 06:00.
	To string `json:"to"`
	// Zone is a time zone of the IANA database, such as Europe/Berlin. "" means the zone of the
	// installation.
	Zone string `json:"zone"`
}

// pushedByDefault lists the types that the broker pushes to a user without preferences.
var pushedByDefault = []event.Type{
	event.TypeMaintenanceRequired, event.TypeRentalOverdue, event.TypeTimesheetUpdated,
	event.TypePayrollProcessed, event.TypeLeaveRequestUpdated, event.TypeSystemNotification,
}

// DefaultPreferences returns the preferences of a user that has not chosen any. They name
// only types of which the user may see events.
func DefaultPreferences(g access.Grant) Preferences {
	p := Preferences{Muted: []event.Type{}, Push: []event.Type{}}
	for _, t := range pushedByDefault {
		if access.CanSee(g, t) {
			p.Push = append(p.Push, t)
		}
	}
	return p
}

// Check validates the preferences. It does not look up the time zone, because the program
// in the browser has no table of zones. The error is an [*event.Problem].
func (p Preferences) Check() error {
	for at, types := range map[string][]event.Type{"/muted": p.Muted, "/push": p.Push} {
		if len(types) > len(event.Types) || slices.ContainsFunc(types, func(t event.Type) bool { return !t.Known() }) {
			return event.Refuse(at, event.CodeEnum, "types of the vocabulary, each once")
		}
	}
	if p.Quiet == nil {
		return nil
	}
	from, to := minutes(p.Quiet.From), minutes(p.Quiet.To)
	switch {
	case from < 0:
		return event.Refuse("/quiet/from", event.CodeFormat, "a time of day such as 22:00")
	case to < 0 || to == from:
		return event.Refuse("/quiet/to", event.CodeFormat, "another time of day, such as 06:00")
	case len(p.Quiet.Zone) > 64:
		return event.Refuse("/quiet/zone", event.CodeFormat, "a time zone such as Europe/Berlin")
	}
	return nil
}

// minutes returns a time of day, HH:MM, in minutes since midnight, or -1 for any other
// text.
func minutes(clock string) int {
	at, err := time.Parse("15:04", clock)
	if err != nil || len(clock) != 5 {
		return -1
	}
	return 60*at.Hour() + at.Minute()
}

// Contains reports whether a time of day is within the quiet hours. The caller passes the
// time in the zone of q.
func (q QuietHours) Contains(hour, minute int) bool {
	now, from, to := 60*hour+minute, minutes(q.From), minutes(q.To)
	if from < to {
		return from <= now && now < to
	}
	return now >= from || now < to
}

// A Message is the content of a push notification. It has operational and system fields
// only, because it passes through the service of a vendor and is shown on a locked
// screen: no pay, no money, and nothing of HR, customers or precise places.
type Message struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	// Tag is the same for all messages about one subject, so that a later message replaces
	// an earlier one.
	Tag string `json:"tag"`
	// URL is the path of the page of the app that shows the subject.
	URL string `json:"url"`
	// Severity lets a badge count the errors that came while the app was closed.
	Severity event.Severity `json:"severity,omitempty"`
}

// maxBody is the length of a body, in characters.
const maxBody = 180

// NewMessage returns the message of an event. The caller passes the event as the reader
// may see it. The message leaves out every field that is not operational or of the
// system.
func NewMessage(e event.Event) Message {
	m := Message{Title: titles[e.Type], Tag: Topic(e), URL: PagePath(e), Severity: e.Severity}
	if e.Module() == event.ModuleEmployee { // all of its fields are about HR or pay
		m.Body = "Open Yardline to see it."
		return m
	}
	public := event.Object{}
	for _, f := range e.Data {
		spec, declared := event.Spec(e.Type, f.Name)
		if declared && (spec.Class == event.Operational || spec.Class == event.System) {
			public = append(public, f)
		}
	}
	e.Data = public
	m.Body, _ = event.ToastText(e, false)
	if utf8.RuneCountInString(m.Body) > maxBody {
		m.Body = string([]rune(m.Body)[:maxBody-1]) + "…"
	}
	return m
}

// titles has the title of each type's messages.
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

// Topic returns a hash that stands for the event's subject without revealing it. A push
// service replaces an undelivered message by a later one with the same topic (RFC 8030,
// section 5.4). A topic has at most 32 characters of base64url.
func Topic(e event.Event) string {
	sum := sha256.Sum256([]byte(e.Subject))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:32]
}

// PagePath returns the path of the app's page that shows the subject of an event.
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
