package event

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestParseMoneyReadsExactDecimals(t *testing.T) {
	for in, want := range map[string]string{"1500": "1500", "19.9": "19.90", "0.05": "0.05", "-3.5": "-3.50",
		"1.5e3": "1500", "15000E-2": "150",
		"1.230": "1.23", "1.234": "1.234", "0": "0", "-0": "0", "0.00": "0", "90071992547409.91": "90071992547409.91",
		"1e-2": "0.01", "1e-3": "0.001", "10.1250": "10.125"} {
		if m, err := ParseMoney(in); err != nil || m.String() != want {
			t.Errorf("%s: got %s, %v, want %s", in, m, err, want)
		}
	}
	for _, in := range []string{"", "-", ".5x", "1.2345", "90071992547409.92", "92233720368547758.08", "1e19", "1e400",
		"1e999999999", "1e-4", "NaN", "0x10", "1,5", "--1"} {
		if m, err := ParseMoney(in); err == nil {
			t.Errorf("%q: accepted as %s", in, m)
		}
	}
}

// A sum that Money cannot hold must not become a small one.
func TestSumsOfMoneyAreExact(t *testing.T) {
	tenth, fifth := MoneyUnit/10, MoneyUnit/5
	if got := tenth.Plus(fifth).String(); got != "0.30" {
		t.Errorf("0.1 + 0.2 is %s", got)
	}
	sum := Money(0)
	for range 1000 {
		sum = sum.Plus(MaxMoney)
	}
	if sum != math.MaxInt64 || (-sum).Plus(-MaxMoney).Plus(-MaxMoney) != math.MinInt64 {
		t.Errorf("a thousand of the largest are %s", sum)
	}
	if MoneyFromUnits(1077.37-1000) != 77*MoneyUnit+370 {
		t.Error("a difference of floats was not rounded")
	}
}

func TestAmountIsWrittenWithTheDecimalsOfItsCurrency(t *testing.T) {
	for _, c := range []struct{ amount, currency, want string }{
		{"10.5", "EUR", "10.50"}, {"10.5", "KWD", "10.500"}, {"10.125", "KWD", "10.125"}, {"10", "KWD", "10"},
		{"1500", "JPY", "1500"}, {"10.5", "JPY", "10.5"}, {"10.125", "EUR", "10.125"}, {"10.5", "", "10.50"},
		{"-0.5", "TND", "-0.500"},
	} {
		m, err := ParseMoney(c.amount)
		if got := m.FormatIn(c.currency); err != nil || got != c.want {
			t.Errorf("%s %s is written %s, want %s (%v)", c.amount, c.currency, got, c.want, err)
		}
	}
}

// The installation's currency applies to an event that names none.
func TestParseRefusesMoreDecimalsThanTheCurrencyHas(t *testing.T) {
	for _, c := range []struct {
		amount, currency, ours string
		ok                     bool
	}{
		{"10.125", `"KWD"`, "EUR", true}, {"10.125", `"EUR"`, "KWD", false}, {"10.125", "", "KWD", true},
		{"10.125", "null", "EUR", false},
		{"10.125", "", "EUR", false}, {"10.12", "", "EUR", true}, {"10.5", `"JPY"`, "EUR", false},
		{"10", `"JPY"`, "EUR", true},
		{"10.0", "", "JPY", true}, {"1e-1", "", "JPY", false}, {"10.125", "", "", true},
		{"10.1255", `"KWD"`, "KWD", false},
	} {
		data := fmt.Sprintf(`{"rental_id":1,"payment_method":"cash","amount":%s}`, c.amount)
		if c.currency != "" {
			data = strings.Replace(data, "{", `{"currency":`+c.currency+`,`, 1)
		}
		_, _, err := Parse(wrap(TypePaymentReceived, data), Rules{Currency: c.ours})
		if (err == nil) != c.ok {
			t.Errorf("%s at an installation of %q: %v", data, c.ours, err)
		}
		if err != nil && !strings.Contains(err.Error(), "/data/amount") {
			t.Errorf("the refusal does not name the amount: %v", err)
		}
	}
	// Every amount of an event is in its currency.
	_, _, err := Parse(wrap(TypePaymentReceived,
		`{"rental_id":1,"payment_method":"cash","amount":1,"balance_due":0.5,"currency":"CLP"}`), Rules{})
	if err == nil || !strings.Contains(err.Error(),
		"/data/balance_due: expected a number with at most no decimals, as amounts in CLP have, at least 0") {
		t.Error(err)
	}
	for _, code := range append(strings.Fields(withoutDecimals), strings.Fields(withThreeDecimals)...) {
		if !IsCurrency(code) {
			t.Errorf("%s has decimals and is no currency", code)
		}
	}
}

// Users read these sentences in forms.
func TestOnlyATooLargeAmountNamesTheLargestAmount(t *testing.T) {
	spec, ok := Spec(TypePaymentReceived, "amount")
	if !ok {
		t.Fatal("no such field")
	}
	const usual = "a number with at most the decimals of its currency, more than 0"
	for raw, expected := range map[string]string{
		`"x"`: usual, `0`: usual, `1.2345`: usual, `-5`: usual, `1e15`: usual + ", at most 90071992547409.91",
		`1e999`: usual + ", at most 90071992547409.91"} {
		if got := spec.limitsFor([]byte(raw)); got != expected {
			t.Errorf("%s: %s", raw, got)
		}
	}
}
