//go:build !js

package problem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snd-rental/yardline/shared/event"
)

const root = "../.."

// fieldCodes are the codes of single fields.
var fieldCodes = []string{
	event.CodeRequired, event.CodeType, event.CodeEnum, event.CodeFormat, event.CodeLimit, event.CodeRule,
	event.CodeSize, event.CodeDepth, event.CodeDuplicate, event.CodeUTF8, event.CodeJSON,
	event.CodeUnknownField, event.CodeUnknownType, event.CodeConflict, event.CodeUnknownName,
}

// homonyms are literals that look like a code of a problem and are something else.
var homonyms = map[string][]string{
	"broker/warnings.go":   {CodePushRefused},                 // the code of a warning of /readyz
	"app/text/en_shell.go": {CodeStillSignedIn, CodeNotFound}, // keys of texts
	"app/live/session.go":  {CodeStillSignedIn},               // the use of such a key
	"app/pages/shell.go":   {CodeNotFound},                    // the use of such a key
}

// TestCodesAreSpelledHereAlone fails for a program that spells a code of a problem
// instead of using its constant. Tests may spell codes, because they hold what is on
// the wire.
func TestCodesAreSpelledHereAlone(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") ||
				slices.Contains([]string{"bin", "problem", "testdata"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return checkLiterals(t, path, filepath.ToSlash(relative))
	})
	if err != nil || files < 100 {
		t.Fatalf("read %d files: %v", files, err)
	}
}

// checkLiterals reports the codes that a file spells.
func checkLiterals(t *testing.T, path, relative string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		return err
	}
	isCode := map[*ast.BasicLit]bool{} // literals in a place that takes a code
	ast.Inspect(file, func(n ast.Node) bool {
		for _, literal := range codesIn(n) {
			isCode[literal] = true
		}
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			return true
		}
		// Codes of one word, such as "full", are ordinary words elsewhere.
		isWord := !strings.Contains(text, "_")
		spellsCode := slices.Contains(Codes(), text) && (isCode[literal] || !isWord) ||
			slices.Contains(fieldCodes, text) && isCode[literal]
		if spellsCode && !slices.Contains(homonyms[relative], text) || strings.Contains(text, TypePrefix) {
			line := set.Position(literal.Pos()).Line
			t.Errorf("%s:%d spells %q: use a constant of shared/problem or shared/event", relative, line, text)
		}
		return true
	})
	return nil
}

// codesIn returns the literals of a node that stand for a code: the value of a field
// Code, the operands of a comparison with such a field, and the code of event.Refuse.
func codesIn(n ast.Node) []*ast.BasicLit {
	var found []*ast.BasicLit
	add := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok {
			found = append(found, literal)
		}
	}
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
			add(n.Value)
		}
	case *ast.BinaryExpr:
		if isCodeField(n.X) || isCodeField(n.Y) {
			add(n.X)
			add(n.Y)
		}
	case *ast.CallExpr:
		if selector, ok := n.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == "Refuse" && len(n.Args) > 1 {
			add(n.Args[1])
		}
	case *ast.SwitchStmt:
		if !isCodeField(n.Tag) {
			return nil
		}
		for _, clause := range n.Body.List {
			for _, value := range clause.(*ast.CaseClause).List {
				add(value)
			}
		}
	}
	return found
}

func isCodeField(e ast.Expr) bool {
	selector, ok := e.(*ast.SelectorExpr)
	return ok && selector.Sel.Name == "Code"
}

// TestEdgeWorkerSendsProblemsOfTheTable reads the problems that the edge's script
// spells, because JavaScript cannot use the constants.
func TestEdgeWorkerSendsProblemsOfTheTable(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, "broker/edge/worker.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	script := string(raw)
	if !strings.Contains(script, `"`+TypePrefix+`"`) || !strings.Contains(script, `"`+MediaType+`"`) {
		t.Error("worker.mjs has another type or media type of problems")
	}
	calls := regexp.MustCompile(`problem\((\d+), "([^"]*)", "([^"]*)"\)`).FindAllStringSubmatch(script, -1)
	if len(calls) < 3 || !strings.Contains(script, `"`+edgeAdvice+`"`) {
		t.Fatalf("worker.mjs has %d problems, or another advice", len(calls))
	}
	for _, call := range calls {
		listed := slices.ContainsFunc(All(), func(p Problem) bool {
			return strconv.Itoa(p.Status) == call[1] && p.Code == call[2] && p.Title == call[3] &&
				p.Advice == edgeAdvice
		})
		if !listed {
			t.Errorf("%s is not in the table of problems", call[0])
		}
	}
}
