// Package deptest checks the rules of the architecture in tests: which packages may
// depend on which, and why.
package deptest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A Rule forbids dependencies of the packages that a pattern names.
type Rule struct {
	// Packages is a pattern as for go list, relative to the test's directory.
	Packages string
	// Tags are build tags, separated by commas.
	Tags string
	// Env has additional variables of the environment, such as GOOS=js.
	Env []string
	// Forbidden maps an import path, or a prefix that ends in /..., to the reason why the
	// packages must not depend on it.
	Forbidden map[string]string
	// AllowedPrefixes lists the prefixes of the import paths that the packages may depend
	// on in addition to the standard library. Nil allows all.
	AllowedPrefixes []string
	// Reason is the reason for AllowedPrefixes.
	Reason string
}

// Check fails the test for every forbidden dependency, direct or indirect. It asks the go
// command, so it sees the dependencies of a build.
func Check(t *testing.T, rules ...Rule) {
	t.Helper()
	for _, rule := range rules {
		for _, dep := range list(t, rule) {
			for path, why := range rule.Forbidden {
				prefix, under := strings.CutSuffix(path, "/...")
				if dep == prefix || under && strings.HasPrefix(dep, prefix+"/") {
					t.Errorf("%s depends on %s: %s", rule.Packages, dep, why)
				}
			}
			foreign := strings.Contains(strings.SplitN(dep, "/", 2)[0], ".")
			hasPrefix := func(prefix string) bool { return strings.HasPrefix(dep, prefix) }
			allowed := slices.ContainsFunc(rule.AllowedPrefixes, hasPrefix)
			if rule.AllowedPrefixes != nil && foreign && !allowed {
				t.Errorf("%s depends on %s: %s", rule.Packages, dep, rule.Reason)
			}
		}
	}
}

// list returns the import paths of the dependencies of a rule's packages.
func list(t *testing.T, rule Rule) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-tags", rule.Tags, rule.Packages)
	cmd.Env = append(os.Environ(), rule.Env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", rule.Packages, err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 2 {
		t.Fatalf("go list %s found nothing", rule.Packages)
	}
	return deps
}

// CheckBuild fails the test when the packages do not compile in an environment, such as
// GOOS=js.
func CheckBuild(t *testing.T, packages string, env ...string) {
	t.Helper()
	cmd := exec.Command("go", "build", packages)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s with %v: %v\n%s", packages, env, err, out)
	}
}
