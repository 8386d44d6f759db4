package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/peterbourgon/ff/v3"

	"github.com/snd-rental/yardline/shared/event"
)

// parseOptions let ff set every flag of a command from the environment and from the file
// that --config names.
func parseOptions(fs *flag.FlagSet) []ff.Option {
	return []ff.Option{
		ff.WithEnvVarPrefix("YARDLINE"), ff.WithConfigFileFlag("config"), ff.WithConfigFileParser(configParser(fs)),
	}
}

// configParser returns the parser of a configuration file for the flags of fs. Each line
// of the file has the name of a flag, white space and the flag's value. A switch needs no
// value. A comment begins with # at the start of a line or after white space. The file may
// begin with a byte order mark.
//
// The parser of the library (ff.PlainParser) is not used because it misreads some files
// without an error: it ends at a line of 64 KiB, and it gives the value "true" to any flag
// that has lost its value.
func configParser(fs *flag.FlagSet) ff.ConfigFileParser {
	return func(file io.Reader, set func(name, value string) error) error {
		raw, err := io.ReadAll(file)
		if err != nil {
			return fmt.Errorf("--config: %w", err)
		}
		text, err := event.TrimByteOrderMark(raw)
		if err != nil {
			return fmt.Errorf("--config: %w", err)
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			name, value := splitLine(line)
			if name == "" {
				continue
			}
			if value, err = flagValue(fs, name, value); err == nil {
				err = set(name, value)
			}
			if err != nil {
				return fmt.Errorf("--config: line %d: %w", number, err)
			}
		}
		return nil
	}
}

// splitLine returns the name and the value in a line of a configuration file. Both are
// empty for a blank line and for a comment.
func splitLine(line string) (name, value string) {
	afterSpace := true
	for i, r := range line {
		if r == '#' && afterSpace {
			line = line[:i]
			break
		}
		afterSpace = unicode.IsSpace(r)
	}
	line = strings.TrimSpace(line)
	if end := strings.IndexFunc(line, unicode.IsSpace); end >= 0 {
		return line[:end], strings.TrimSpace(line[end:])
	}
	return line, ""
}

// flagValue checks the value that a line gives to the flag called name, and returns the
// value to set: "true" for a switch without a value.
func flagValue(fs *flag.FlagSet, name, value string) (string, error) {
	f := fs.Lookup(name)
	if f == nil {
		return "", fmt.Errorf("%s has no flag %q; a line is the name of a flag, a space and its value", fs.Name(), name)
	}
	if strings.HasPrefix(value, "=") {
		return "", fmt.Errorf("between %s and its value is a space alone, no %q", name, "=")
	}
	if value != "" {
		return value, nil
	}
	if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return "true", nil
	}
	return "", fmt.Errorf("%s needs a value; leave the line out for its default", name)
}
