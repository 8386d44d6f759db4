package deptest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// CheckSelectors fails the test for every use of a forbidden selector, such as "require.Never", in the Go files below
// dir, tests included. forbidden maps the selector to the reason. A package must be imported by its own name to be
// found.
func CheckSelectors(t *testing.T, dir string, forbidden map[string]string) {
	t.Helper()
	files := token.NewFileSet()
	checked := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		checked++
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := selector.X.(*ast.Ident); ok {
				if why, isForbidden := forbidden[x.Name+"."+selector.Sel.Name]; isForbidden {
					t.Errorf("%s uses %s.%s: %s", files.Position(n.Pos()), x.Name, selector.Sel.Name, why)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || checked == 0 {
		t.Fatalf("%d files checked below %s: %v", checked, dir, err)
	}
}

// WaitingRules are the selectors of testify that no test may use, for [CheckSelectors].
var WaitingRules = map[string]string{
	"require.Eventually":      leaks,
	"require.Eventuallyf":     leaks,
	"require.EventuallyWithT": leaks,
	"require.Never":           leaks,
	"require.Neverf":          leaks,
	"assert.Eventually":       leaks,
	"assert.Eventuallyf":      leaks,
	"assert.EventuallyWithT":  leaks,
	"assert.Never":            leaks,
	"assert.Neverf":           leaks,
}

const leaks = "it leaves its goroutine behind and may fail without having checked once; use shared/waittest or synctest"
