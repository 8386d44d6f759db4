package notify

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

func TestMessagesHaveOperationalAndSystemFieldsOnly(t *testing.T) {
	for _, typ := range event.Types {
		e := event.Example(typ)
		m := NewMessage(e)
		if m.Severity != e.Severity {
			t.Errorf("%s: a badge would count %q as %q", typ, e.Severity, m.Severity)
		}
		if m.Title == "" || m.Tag == "" || len(m.Tag) > 32 || !strings.HasPrefix(m.URL, "/") ||
			utf8.RuneCountInString(m.Body) > maxBody {
			t.Errorf("%s: %+v", typ, m)
		}
		for _, f := range e.Data {
			spec, _ := event.Spec(typ, f.Name)
			text := e.Data.Text(f.Name)
			if spec.Class != event.Operational && spec.Class != event.System && len(text) > 3 &&
				strings.Contains(m.Title+m.Body, text) {
				t.Errorf("%s shows %s: %+v", typ, f.Name, m)
			}
		}
	}
	long, err := event.New(event.TypeSystemNotification, map[string]any{"message": strings.Repeat("ä", 400)})
	if err != nil {
		t.Fatal(err)
	}
	if got := NewMessage(long).Body; utf8.RuneCountInString(got) != maxBody || !strings.HasSuffix(got, "…") {
		t.Errorf("%q", got)
	}
}

func TestQuietHoursMayIncludeMidnight(t *testing.T) {
	for _, c := range []struct {
		from, to     string
		hour, minute int
		want         bool
	}{
		{"22:00", "06:00", 23, 0, true},
		{"22:00", "06:00", 5, 59, true},
		{"22:00", "06:00", 6, 0, false},
		{"22:00", "06:00", 21, 59, false},
		{"22:00", "06:00", 22, 0, true},
		{"12:00", "13:30", 12, 30, true},
		{"12:00", "13:30", 13, 30, false},
		{"12:00", "13:30", 0, 0, false},
	} {
		if got := (QuietHours{From: c.from, To: c.to}).Contains(c.hour, c.minute); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for _, text := range []string{"", "7:00", "07:0", "24:00", "23:60", "-1:00", "ab:cd", "07:00:00"} {
		if minutes(text) >= 0 {
			t.Errorf("%q is a time of day", text)
		}
	}
}

func TestPagePathIsAPathOfTheApp(t *testing.T) {
	for _, typ := range event.Types {
		e := event.Example(typ)
		if page := PagePath(e); !strings.HasPrefix(page, "/") || strings.Contains(page, "//") {
			t.Errorf("%s: %s", typ, page)
		}
	}
}

func TestDefaultPreferencesNameVisibleTypesOnly(t *testing.T) {
	for _, c := range []struct {
		roles    []access.Role
		employee int64
		want     string
	}{
		{[]access.Role{access.Yard}, 0, "[maintenance_required rental_overdue system_notification]"},
		{[]access.Role{access.Yard}, 456, "[maintenance_required rental_overdue timesheet_updated payroll_processed " +
			"leave_request_updated system_notification]"},
		{[]access.Role{access.Dispatcher}, 0,
			"[maintenance_required rental_overdue leave_request_updated system_notification]"},
		{[]access.Role{access.HR}, 0,
			"[timesheet_updated payroll_processed leave_request_updated system_notification]"},
		{[]access.Role{access.Manager}, 0, "[maintenance_required rental_overdue timesheet_updated " +
			"payroll_processed leave_request_updated system_notification]"},
		{[]access.Role{access.Admin}, 0, "[maintenance_required rental_overdue system_notification]"},
		{nil, 456, "[timesheet_updated payroll_processed leave_request_updated system_notification]"},
		{[]access.Role{access.Service}, 0, "[]"},
	} {
		g := access.Grant{User: "7", Roles: c.roles, Employee: c.employee}
		p := DefaultPreferences(g)
		if got := fmt.Sprint(p.Push); got != c.want {
			t.Errorf("%v, employee %d: %s, want %s", c.roles, c.employee, got, c.want)
		}
		for _, typ := range event.Types {
			_, seen := access.Redact(g, event.Example(typ))
			if seen && !access.CanSee(g, typ) {
				t.Errorf("%v see a %s and may not", c.roles, typ)
			}
		}
	}
}
