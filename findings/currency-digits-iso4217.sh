#!/usr/bin/env bash
# Currency libraries have fewer decimals than ISO 4217 for currencies in which companies send invoices.
#
# ISO 4217 gives IQD and LYD three decimals, and HUF, IDR, LBP, MGA, AFN and RSD two. golang.org/x/text/currency
# v0.44.0 and Intl.NumberFormat use the digits of CLDR, which describe how people write amounts today. Even these two
# disagree (HUF, RSD). A program that validates or stores money by these tables rounds amounts that an invoice may
# contain.
#
# Seen (Node 20.20.2): the table at the end has both beside ISO 4217.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require golang.org/x/text v0.44.0
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"golang.org/x/text/currency"
)

func main() {
	for _, code := range os.Args[1:] {
		digits, _ := currency.Standard.Rounding(currency.MustParseISO(code))
		fmt.Println(code, digits)
	}
}
GO
go mod tidy 2>/dev/null
codes='KWD LYD IQD HUF IDR LBP MGA AFN RSD JPY'
in_node='for (const currency of process.argv.slice(1)) {
  console.log(new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits)
}'
iso=(3 3 3 2 2 2 2 2 2 0)
seen=$(paste -d' ' <(go run . $codes) <(node -e "$in_node" $codes) <(printf '%s\n' "${iso[@]}"))
stated='KWD 3 3 3
LYD 3 3 3
IQD 0 0 3
HUF 2 0 2
IDR 0 0 2
LBP 0 0 2
MGA 0 0 2
AFN 0 0 2
RSD 0 2 2
JPY 0 0 0'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated (code, x/text, Intl, ISO 4217):"
echo "$seen"
