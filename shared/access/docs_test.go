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

// TestEventsDoc holds that the page on events is what the code says.
func TestEventsDoc(t *testing.T) {
	want := describeAll()
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

func describeAll() string {
	var b strings.Builder
	b.WriteString(`# Events

Made from the Go types and the table of rights by ` + "`go test ./shared/access -run EventsDoc -rewrite`" + `. How to publish and read them:
[protocol.md](protocol.md).

A field that says *strict* is required with ` + "`?strict=true`" + `. Class: O operational, C customer, F finance, H HR, P pay, L precise location,
S system. Times are RFC 3339, dates YYYY-MM-DD. What identifies a thing has no control characters.

Money is a number with at most the decimals of its ` + "`currency`" + ` (ISO 4217): none for JPY, three for
KWD, two for most. An event that names no currency is in the installation's (` + "`serve --currency`" + `).
The served schemas leave the check of decimals to the broker, because validators divide in binary, where
19.99 is no multiple of 0.01.

A time of something that has happened (the event's ` + "`time`, `recorded_at`, `received_at`" + `) may be at most
five minutes ahead of the broker's clock. The broker refuses a time that is further ahead (422).

`)
	for _, typ := range event.Types {
		describe(&b, typ)
	}
	return b.String()
}

func describe(b *strings.Builder, typ event.Type) {
	example := event.Example(typ)
	entity := "It leaves no state."
	if key := event.EntityKey(example); key != "" {
		entity = fmt.Sprintf("It changes the entity `%s`.", key)
	}
	fmt.Fprintf(b, "## %s\n\nSubject such as `%s`. %s%s\n\n| field | type | | limits | class |\n|---|---|---|---|---|\n", typ, example.Subject, entity, between(typ))
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
	fmt.Fprintf(b, "\n    {\"type\":%q,\"data\":%s}\n\n", typ, example.Data.AppendJSON(nil))
	rule := Table[typ]
	b.WriteString("| who | sees | may publish |\n|---|---|---|\n")
	for _, role := range Roles {
		sees := "nothing"
		if s, found := rule.Roles[role]; found {
			sees = s.words()
		} else if rule.ByAudience && role != Service {
			sees = "what names the role, or no audience"
		}
		publishes := ""
		if CanPublish(Grant{User: "x", Roles: []Role{role}}, typ) {
			publishes = "yes"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", role, sees, publishes)
	}
	if rule.Employee != nil {
		fmt.Fprintf(b, "| the employee | %s, where no role shows it | |\n", rule.Employee.words())
	}
	if rule.Starter != nil {
		fmt.Fprintf(b, "| who started it | %s, where no role shows it | |\n", rule.Starter.words())
	}
	b.WriteString("\n")
}

// between are the rules between fields.
func between(typ event.Type) string {
	if text := event.CrossFieldRules(typ); text != "" {
		return " " + text
	}
	return ""
}

// words say what a visibility includes.
func (s Visibility) words() string {
	var parts []string
	if s.OnlyRuns {
		parts = append(parts, "runs, no payslips")
	}
	if s.OnlyFields != nil {
		parts = append(parts, "only "+strings.Join(s.OnlyFields, ", "))
	}
	for _, class := range s.HiddenClasses {
		parts = append(parts, fmt.Sprintf("without class %c", class))
	}
	if s.HiddenFields != nil {
		parts = append(parts, "without "+strings.Join(s.HiddenFields, ", "))
	}
	if parts == nil {
		return "everything"
	}
	return strings.Join(parts, "; ")
}
