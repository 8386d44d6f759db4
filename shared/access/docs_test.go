//go:build !js

package access

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/snd-rental/yardline/shared/event"
)

var rewrite = flag.Bool("rewrite", false, "rewrite docs/events.md")

const eventsDoc = "../../docs/events.md"

// TestEventsDocIsGeneratedFromTheTables fails when docs/events.md is out of date.
func TestEventsDocIsGeneratedFromTheTables(t *testing.T) {
	want := eventsPage()
	if *rewrite {
		if err := os.WriteFile(eventsDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(eventsDoc)
	if err != nil || string(got) != want {
		t.Errorf("%s is out of date: go test ./shared/access -run EventsDoc -rewrite (%v)", eventsDoc, err)
	}
}

const eventsIntroduction = "# Events\n" + `
This page lists the ten types of event: the fields of each payload, and the roles that see and publish it.
[protocol.md](protocol.md) says how to publish and read events.

In the tables of fields:

- A *required* field must be in every event. A *strict* field must be in an event that is sent with
  ` + "`?strict=true`" + `.
- The class says how sensitive a field is: O operational, C customer, F finance, H HR, P pay, L precise
  location, S system.
- Times follow RFC 3339, and dates are YYYY-MM-DD. Fields that identify a thing have no control characters.

**Money** is a number with at most the decimals of its ` + "`currency`" + ` (ISO 4217): none for JPY, three for KWD,
two for most. An event that names no currency uses the installation's (` + "`serve --currency`" + `). The published
JSON schemas do not check the decimals, because validators divide in binary, where 19.99 is no multiple of
0.01. The broker checks them.

**Times of past events** (the event's ` + "`time`, `recorded_at`, `received_at`" + `) may be at most five minutes
ahead of the broker's clock. The broker refuses a time that is further ahead (422).

This page is generated from the Go types and the visibility table:
` + "`go test ./shared/access -run EventsDoc -rewrite`.\n\n"

// eventsPage returns the text of docs/events.md.
func eventsPage() string {
	var b strings.Builder
	b.WriteString(eventsIntroduction)
	for _, typ := range event.Types {
		writeType(&b, typ)
	}
	return b.String()
}

// writeType writes the section of a type.
func writeType(b *strings.Builder, typ event.Type) {
	example := event.Example(typ)
	entity := "It leaves no state."
	if key := event.EntityKey(example); key != "" {
		entity = fmt.Sprintf("It changes the entity `%s`.", key)
	}
	rules := ""
	if text := event.CrossFieldRules(typ); text != "" {
		rules = " " + text
	}
	fmt.Fprintf(b, "## %s\n\nIts subject is, for example, `%s`. %s%s\n\n", typ, example.Subject, entity, rules)
	writeFields(b, typ)
	fmt.Fprintf(b, "\n    {\"type\":%q,\"data\":%s}\n\n", typ, example.Data.AppendJSON(nil))
	writeReaders(b, typ)
	b.WriteString("\n")
}

// writeFields writes the table of a type's fields.
func writeFields(b *strings.Builder, typ event.Type) {
	b.WriteString("| field | type | | limits | class |\n|---|---|---|---|---|\n")
	for _, f := range event.Fields(typ) {
		need := ""
		if f.Required {
			need = "required"
		} else if f.Strict {
			need = "*strict*"
		}
		limits := f.Limits()
		if f.Default != "" {
			limits += "; default " + f.Default
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %c |\n", f.Name, f.Kind, need, limits, f.Class)
	}
}

// writeReaders writes the table of the roles that see and publish a type.
func writeReaders(b *strings.Builder, typ event.Type) {
	rule := Table[typ]
	b.WriteString("| role or person | sees | may publish |\n|---|---|---|\n")
	for _, role := range Roles {
		sees := "nothing"
		if v, found := rule.Roles[role]; found {
			sees = v.describe()
		} else if rule.ByAudience && role != Service {
			sees = "everything, if the audience names the role or is absent"
		}
		publishes := ""
		if CanPublish(Grant{User: "x", Roles: []Role{role}}, typ) {
			publishes = "yes"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", role, sees, publishes)
	}
	if rule.Employee != nil {
		fmt.Fprintf(b, "| the employee | %s, unless a role shows the event | |\n", rule.Employee.describe())
	}
	if rule.Starter != nil {
		fmt.Fprintf(b, "| the user that started it | %s, unless a role shows the event | |\n", rule.Starter.describe())
	}
}

// describe says in words which fields a visibility shows.
func (v Visibility) describe() string {
	var parts []string
	if v.OnlyRuns {
		parts = append(parts, "runs, no payslips")
	}
	if v.OnlyFields != nil {
		parts = append(parts, "only "+strings.Join(v.OnlyFields, ", "))
	}
	for _, class := range v.HiddenClasses {
		parts = append(parts, fmt.Sprintf("without class %c", class))
	}
	if v.HiddenFields != nil {
		parts = append(parts, "without "+strings.Join(v.HiddenFields, ", "))
	}
	if parts == nil {
		return "everything"
	}
	return strings.Join(parts, "; ")
}
