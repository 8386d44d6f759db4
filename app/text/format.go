package text

import (
	"strconv"
	"strings"
	"sync"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/shared/event"
)

// A Style is how the user wants dates and money, beside what the browser's
// locale says.
type Style struct {
	ISODates  bool `json:"iso_dates"`  // 2026-11-24 14:02
	MoneyCode bool `json:"money_code"` // EUR 1,500.00 in place of €1,500.00, for the installation's currency too
}

// SetStyle changes it for all that is written from then on.
func SetStyle(s Style) {
	mu.Lock()
	defer mu.Unlock()
	style = s
	formatters, written = map[string]app.Value{}, map[string]string{}
}

// The browser's formatters are dear to make and cheap to call, and the same few
// values are written over and over.
var (
	mu         sync.Mutex // guards all below
	style      Style
	ours       string // the installation's currency
	formatters = map[string]app.Value{}
	written    = map[string]string{}
)

const maxWritten = 4000

// intl writes a value by one of the browser's formatters; ok is false outside a
// browser.
func intl(kind, name string, value func(formatter app.Value) any, key string, options map[string]any) (s string, ok bool) {
	if !app.IsClient {
		return "", false
	}
	mu.Lock()
	defer mu.Unlock()
	id := kind + " " + name
	if s, ok := written[id+" "+key]; ok {
		return s, true
	}
	f := formatters[id]
	if f == nil {
		f = app.Window().Get("Intl").Get(kind).New(app.Undefined(), options) // the browser’s locale
		formatters[id] = f
	}
	s = value(f).(app.Value).String()
	if len(written) >= maxWritten {
		written = map[string]string{}
	}
	written[id+" "+key] = s
	return s, true
}

func number(key, plain string, options map[string]any) string {
	s, ok := intl("NumberFormat", key, func(f app.Value) any { return f.Call("format", plain) }, plain, options)
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

// DecimalComma tells whether the reader writes decimals with a comma. The reader's spreadsheet then divides cells by
// semicolons.
func DecimalComma() bool {
	return strings.Contains(number("1", "1.5", map[string]any{"minimumFractionDigits": 1}), ",")
}

// Percent writes whole per cent.
func Percent(n int) string {
	if !app.IsClient {
		return strconv.Itoa(n) + "%"
	}
	return number("%", strconv.FormatFloat(float64(n)/100, 'f', 2, 64), map[string]any{"style": "percent"})
}

// SetCurrency says of what amounts are that name no currency.
func SetCurrency(code string) {
	mu.Lock()
	defer mu.Unlock()
	ours = code
}

// Money writes an amount, exactly; whole amounts without digits after the
// point, others with those of the currency. Only the installation's own
// currency has its symbol, and every other one its code: by symbols alone, the
// dollars of several countries look alike.
func Money(m event.Money, currency string) string {
	mu.Lock()
	display := "code"
	if currency == "" {
		currency = ours
	}
	if currency == ours && !style.MoneyCode {
		display = "symbol"
	}
	mu.Unlock()
	plain := m.FormatIn(currency)
	n := digits(plain)
	if currency == "" {
		return number("money"+strconv.Itoa(n), plain, map[string]any{"minimumFractionDigits": n,
			"maximumFractionDigits": n})
	}
	options := map[string]any{"style": "currency", "currency": currency, "currencyDisplay": display,
		"minimumFractionDigits": n, "maximumFractionDigits": n}
	format := func(f app.Value) any { return f.Call("format", plain) }
	if s, ok := intl("NumberFormat", currency+strconv.Itoa(n)+display, format, plain, options); ok {
		return s
	}
	return currency + "\u00a0" + plain
}

// digits returns the number of digits after the point of an amount.
func digits(plain string) int {
	_, decimals, _ := strings.Cut(plain, ".")
	return len(decimals)
}

// Format is how events write money and dates for this reader.
var Format = event.ToastFormat{Money: Money, Date: Date}

// Bytes writes an amount of memory.
func Bytes(n int64) string {
	switch {
	case n >= 1<<20:
		return Of("unit.mib", Decimal(float64(n)/(1<<20)))
	case n >= 1<<10:
		return Of("unit.kib", Decimal(float64(n)/(1<<10)))
	}
	return Of("unit.bytes", Number(n))
}
