//go:build !js

package problem

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the table of refusals in docs/protocol.md")

const (
	protocolDoc = "../../docs/protocol.md"
	tableStart  = "<!-- The table of refusals: go test ./shared/problem -run ProtocolDoc -rewrite -->\n"
	tableEnd    = "<!-- The end of the table of refusals. -->\n"
)

// TestProtocolDocHasTheTableOfProblems fails when the generated part of
// docs/protocol.md is out of date.
func TestProtocolDocHasTheTableOfProblems(t *testing.T) {
	doc, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasStart := strings.Cut(string(doc), tableStart)
	_, after, hasEnd := strings.Cut(rest, tableEnd)
	if !hasStart || !hasEnd {
		t.Fatalf("%s has no table of refusals between its two comments", protocolDoc)
	}
	want := before + tableStart + table() + tableEnd + after
	if *rewrite {
		if err := os.WriteFile(protocolDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(doc) != want {
		t.Errorf("%s is out of date: go test ./shared/problem -run ProtocolDoc -rewrite", protocolDoc)
	}
}

// TestProtocolDocNamesEveryCodeOfAField fails when the list of these codes in
// docs/protocol.md lacks one.
func TestProtocolDocNamesEveryCodeOfAField(t *testing.T) {
	doc, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(doc), "\nCodes of a field:")
	list, _, _ = strings.Cut(list, "\n\n")
	for _, code := range fieldCodes {
		if !found || !strings.Contains(list, "`"+code+"`") {
			t.Errorf("%s does not list the code %s of a field", protocolDoc, code)
		}
	}
}

// table returns the problems as a table in Markdown.
func table() string {
	var b strings.Builder
	b.WriteString("\n| status | code | title | what you can do |\n|---|---|---|---|\n")
	for _, p := range All() {
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", p.Status, p.Code, withoutPlaceholders(p.Title), advice(p))
	}
	b.WriteString("\n")
	return b.String()
}

// advice returns the advice of a problem for a reader of the table.
func advice(p Problem) string {
	if p.Advice == "%s" {
		return "(The answer says what is wrong.)"
	}
	text := withoutPlaceholders(p.Advice)
	if strings.Contains(text, "{") {
		text = regexp.MustCompile(`\{.*\}`).ReplaceAllString(text, "`$0`")
	}
	return text
}

// withoutPlaceholders replaces the values that an answer fills in by an ellipsis.
func withoutPlaceholders(text string) string {
	return regexp.MustCompile(`%[sd]`).ReplaceAllString(text, "…")
}

func TestProblemsAreComplete(t *testing.T) {
	status := 0
	statusOf := map[string]int{}
	for _, p := range All() {
		if p.Code == "" || p.Title == "" || p.Advice == "" || p.Status < 400 {
			t.Errorf("a problem is incomplete: %+v", p)
		}
		if p.Status < status {
			t.Errorf("%s (%d) comes after a problem with the status %d", p.Code, p.Status, status)
		}
		status = p.Status
		if known, found := statusOf[p.Code]; found && known != p.Status {
			t.Errorf("%s has the statuses %d and %d", p.Code, known, p.Status)
		}
		statusOf[p.Code] = p.Status
	}
}

func TestFillingLeavesTheTableAsItIs(t *testing.T) {
	filled := MethodNotAllowed.FillTitle("PUT").FillAdvice("GET")
	if filled.Title != "This address does not take PUT" || filled.Advice != "It takes GET." {
		t.Errorf("filled: %+v", filled)
	}
	if MethodNotAllowed.Title != "This address does not take %s" || MethodNotAllowed.Advice != "It takes %s." {
		t.Errorf("the table has changed: %+v", MethodNotAllowed)
	}
	if got := InvalidEvent.Type(); got != "urn:yardline:problem:invalid_event" {
		t.Errorf("type: %s", got)
	}
}

// All is a list by hand. A problem that it lacks would be missing from the documents too.
func TestAllListsEveryProblemOfTheTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "table.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defined := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.Ident); ok && strings.HasPrefix(name.Name, "define") {
				defined++
			}
		}
		return true
	})
	known := map[Problem]bool{}
	for _, p := range All() {
		if known[p] {
			t.Errorf("%s is listed twice: %s", p.Code, p.Title)
		}
		known[p] = true
	}
	if len(known) != defined {
		t.Errorf("table.go defines %d problems, and All lists %d", defined, len(known))
	}
}
