package text

import (
	"strconv"
	"strings"
	"sync"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/shared/event"
)

// A Style says how the user wants dates and money to be written. The zero Style follows the browser's
// locale.
type Style struct {
	// ISODates writes dates and times as 2026-11-24 14:02.
	ISODates bool `json:"iso_dates"`

	// MoneyCode writes EUR 1,500.00 in place of €1,500.00, for the installation's currency too.
	MoneyCode bool `json:"money_code"`
}

// SetStyle sets the style of everything that is written from then on.
func SetStyle(s Style) {
	mu.Lock()
	defer mu.Unlock()
	style = s
	formatters, results = map[string]app.Value{}, map[string]string{}
}

// Formatters of the browser are expensive to make and cheap to call. Results are kept because pages
// write the same few values again and again.
var (
	mu          sync.Mutex // guards all below
	style       Style
	ownCurrency string                   // the installation's currency; empty before SetCurrency
	formatters  = map[string]app.Value{} // by kind and name
	results     = map[string]string{}    // by kind, name and key
)

// maxResults bounds results. The map begins anew beyond it.
const maxResults = 4000

// A formatter is one of the browser's formatters, such as Intl.NumberFormat. Formatters of one kind
// and name have the same options.
type formatter struct {
	kind    string
	name    string
	options map[string]any
}

// write writes a value by calling format. key names the value among those of this formatter. ok is
// false outside a browser.
func (f formatter) write(key string, format func(browserFormatter app.Value) any) (s string, ok bool) {
	if !app.IsClient {
		return "", false
	}
	mu.Lock()
	defer mu.Unlock()
	id := f.kind + " " + f.name
	if s, ok := results[id+" "+key]; ok {
		return s, true
	}
	browserFormatter := formatters[id]
	if browserFormatter == nil {
		browserLocale := app.Undefined()
		browserFormatter = app.Window().Get("Intl").Get(f.kind).New(browserLocale, f.options)
		formatters[id] = browserFormatter
	}
	s = format(browserFormatter).(app.Value).String()
	if len(results) >= maxResults {
		results = map[string]string{}
	}
	results[id+" "+key] = s
	return s, true
}

// number writes a plain number by the browser's number formatter of a name. Outside a browser it
// returns the plain number.
func number(name, plain string, options map[string]any) string {
	f := formatter{"NumberFormat", name, options}
	s, ok := f.write(plain, func(f app.Value) any { return f.Call("format", plain) })
	if !ok {
		return plain
	}
	return s
}

// Number writes an integer.
func Number[T int | int64 | uint64](n T) string {
	return number("", strconv.FormatInt(int64(n), 10), map[string]any{})
}

// Decimal writes a number with at most two digits after the point.
func Decimal(f float64) string {
	return number("2", strconv.FormatFloat(f, 'f', 2, 64), map[string]any{"maximumFractionDigits": 2})
}

// DecimalComma reports whether the reader writes decimals with a comma. The reader's spreadsheet then
// separates cells by semicolons.
func DecimalComma() bool {
	return strings.Contains(number("1", "1.5", map[string]any{"minimumFractionDigits": 1}), ",")
}

// Percent writes a whole number of per cent.
func Percent(n int) string {
	if !app.IsClient {
		return strconv.Itoa(n) + "%"
	}
	return number("%", strconv.FormatFloat(float64(n)/100, 'f', 2, 64), map[string]any{"style": "percent"})
}

// SetCurrency sets the installation's currency. Amounts without a currency are in this currency.
func SetCurrency(code string) {
	mu.Lock()
	defer mu.Unlock()
	ownCurrency = code
}

// Money writes an amount exactly: whole amounts without digits after the point, others with as many
// as the currency has. The installation's currency is written as a symbol and every other one as a
// code, because the symbols of several dollars are the same.
func Money(m event.Money, currency string) string {
	mu.Lock()
	display := "code"
	if currency == "" {
		currency = ownCurrency
	}
	if currency == ownCurrency && !style.MoneyCode {
		display = "symbol"
	}
	mu.Unlock()
	plain := m.FormatIn(currency)
	n := digits(plain)
	if currency == "" {
		options := map[string]any{"minimumFractionDigits": n, "maximumFractionDigits": n}
		return number("money"+strconv.Itoa(n), plain, options)
	}
	f := formatter{"NumberFormat", currency + strconv.Itoa(n) + display, map[string]any{
		"style":                 "currency",
		"currency":              currency,
		"currencyDisplay":       display,
		"minimumFractionDigits": n,
		"maximumFractionDigits": n,
	}}
	if s, ok := f.write(plain, func(f app.Value) any { return f.Call("format", plain) }); ok {
		return s
	}
	return currency + "\u00a0" + plain
}

// digits returns the number of digits after the point of an amount.
func digits(plain string) int {
	_, decimals, _ := strings.Cut(plain, ".")
	return len(decimals)
}

// ToastFormat writes the money and dates of events for this reader.
var ToastFormat = event.ToastFormat{Money: Money, Date: Date}

// Bytes writes a number of bytes in the largest unit that gives at least 1.
func Bytes(n int64) string {
	switch {
	case n >= 1<<20:
		return Of("unit.mib", Decimal(float64(n)/(1<<20)))
	case n >= 1<<10:
		return Of("unit.kib", Decimal(float64(n)/(1<<10)))
	}
	return Of("unit.bytes", Number(n))
}
