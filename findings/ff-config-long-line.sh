#!/usr/bin/env bash
# github.com/peterbourgon/ff v3.4.0 ignores the rest of a configuration file after a long line, without an error.
#
# PlainParser and EnvParser read lines by bufio.Scanner, and never look at the scanner's error. The file ends for them
# at a line of more than 64 KiB (a certificate chain or a list of networks in one line), or where the reader fails.
# Parse returns nil, and every flag after that line keeps its default.
#
# Seen: with a short first line `listen` is 127.0.0.1:9; with a first line of 70,000 characters it is the default.
# Neither gives an error.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/peterbourgon/ff/v3 v3.4.0
MOD
cat > main.go <<'GO'
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/peterbourgon/ff/v3"
)

func main() {
	for _, length := range []int{70, 70_000} {
		flags := flag.NewFlagSet("serve", flag.ContinueOnError)
		networks := flags.String("networks", "", "")
		listen := flags.String("listen", "default", "")
		config := "networks " + strings.Repeat("1", length) + "\nlisten 127.0.0.1:9\n"
		if err := os.WriteFile("config", []byte(config), 0o600); err != nil {
			panic(err)
		}
		err := ff.Parse(flags, nil, ff.WithConfigFile("config"), ff.WithConfigFileParser(ff.PlainParser))
		fmt.Printf("%d: networks has %d characters, listen is %s, error %v\n", length, len(*networks), *listen, err)
	}
}
GO
go mod tidy 2>/dev/null
seen=$(go run .)
stated='70: networks has 70 characters, listen is 127.0.0.1:9, error <nil>
70000: networks has 0 characters, listen is default, error <nil>'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: the long line and all that follows it is left out in silence"
