// Package scripttest plays the scripts of the pure machines. A line of a script is an input, and the
// indented lines below it are its effects. Lines that begin with # are comments.
package scripttest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected effects in testdata")

// Run plays each script of testdata with a new player, a function that runs one line and returns its
// effects. With the flag -rewrite, Run writes the effects into the scripts, to be read as a diff.
func Run(t *testing.T, newPlayer func(t *testing.T) (do func(line string) (effects []string))) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(string(text), newPlayer(t))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("got:\n%s\nwant:\n%s", got, text)
			}
		})
	}
}

// play returns the script with the effects of this run.
func play(script string, do func(string) []string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue // an expected effect
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for _, effect := range do(line) {
			out.WriteString("\t" + effect + "\n")
		}
	}
	return out.String()
}

// Split returns the parts of a line: a verb, words, and pairs key=value.
func Split(line string) (verb string, words []string, keys map[string]string) {
	fields := strings.Fields(line)
	keys = map[string]string{}
	for _, f := range fields[1:] {
		if k, v, found := strings.Cut(f, "="); found {
			keys[k] = v
		} else {
			words = append(words, f)
		}
	}
	return fields[0], words, keys
}
