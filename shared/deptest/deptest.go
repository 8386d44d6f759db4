// Package deptest holds the rules of the architecture as tests: which package
// may not depend on which, and why.
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
	Packages        string            // as for go list, from the test's folder
	Tags            string            // build tags, comma separated
	Env             []string          // such as GOOS=js
	Forbidden       map[string]string // import path, or prefix ending in /..., to the reason
	AllowedPrefixes []string          // prefixes beside the standard library; nil allows all
	Reason          string            // the reason for Only
}

// Check fails the test for every forbidden dependency, direct or not. It asks
// the go command, so it sees what a build would see.
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
			allowed := slices.ContainsFunc(rule.AllowedPrefixes, func(prefix string) bool { return strings.HasPrefix(dep, prefix) })
			if rule.AllowedPrefixes != nil && foreign && !allowed {
				t.Errorf("%s depends on %s: %s", rule.Packages, dep, rule.Reason)
			}
		}
	}
}

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

// CheckBuild fails the test where packages do not compile in an environment.
func CheckBuild(t *testing.T, packages string, env ...string) {
	t.Helper()
	cmd := exec.Command("go", "build", packages)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s with %v: %v\n%s", packages, env, err, out)
	}
}
