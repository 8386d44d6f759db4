package event

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Money is an amount in thousandths of its currency's unit, because no currency in
// circulation has more than three decimals. It is exact: a JSON number becomes Money
// without passing through a float.
type Money int64

// MoneyUnit is one whole unit of any currency.
const MoneyUnit Money = 1000

var errMoney = errors.New("event: not a number with at most three decimals")

// MaxMoney is the largest amount that ParseMoney accepts. JavaScript reads its
// hundredths exactly.
const MaxMoney Money = (1<<53 - 1) * 10

// maxMoneyExponent bounds the exponent of a number that ParseMoney accepts.
const maxMoneyExponent = 18

// moneyDecimals is the number of decimals that Money holds.
const moneyDecimals = 3

// ParseMoney reads a decimal number such as 1500, 19.9 or 1.5e3. It returns an error for
// more than three decimals, not counting trailing zeros, and for amounts beyond
// MaxMoney.
func ParseMoney(s string) (Money, error) {
	digits, negative := strings.CutPrefix(s, "-")
	mantissa, exponent := digits, 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		var err error
		exponent, err = strconv.Atoi(digits[i+1:])
		if err != nil || exponent > maxMoneyExponent || exponent < -maxMoneyExponent {
			return 0, errMoney
		}
		mantissa = digits[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, errMoney
	}
	// The point moves right by the decimals of Money and by the exponent.
	shift := exponent + moneyDecimals - len(fraction)
	all := strings.TrimLeft(whole+fraction, "0")
	for shift < 0 && strings.HasSuffix(all, "0") {
		all, shift = all[:len(all)-1], shift+1
	}
	if all == "" {
		return 0, nil
	}
	if shift < 0 {
		return 0, errMoney
	}
	n, err := strconv.ParseInt(all+strings.Repeat("0", shift), 10, 64)
	if err != nil || n > int64(MaxMoney) {
		return 0, errMoney
	}
	if negative {
		n = -n
	}
	return Money(n), nil
}

// MoneyFromUnits returns the amount nearest to a number of units. Use it for differences
// that were computed as floats.
func MoneyFromUnits(units float64) Money { return Money(math.Round(units * float64(MoneyUnit))) }

// Units returns the amount as a number of units, which may be rounded.
func (m Money) Units() float64 { return float64(m) / float64(MoneyUnit) }

// Plus returns the sum of two amounts. When Money cannot hold the sum, Plus returns
// the largest or smallest amount.
func (m Money) Plus(n Money) Money {
	switch sum := m + n; {
	case m > 0 && n > 0 && sum < 0:
		return math.MaxInt64
	case m < 0 && n < 0 && sum >= 0:
		return math.MinInt64
	default:
		return sum
	}
}

// Decimals returns the number of digits that the amount needs after the point: 0 to 3.
func (m Money) Decimals() int {
	needed := moneyDecimals
	for part := m % MoneyUnit; needed > 0 && part%10 == 0; part /= 10 {
		needed--
	}
	return needed
}

// String returns the shortest exact form with no, two or three decimals: 1500, 19.90,
// 10.125.
func (m Money) String() string { return m.format(2) }

// FormatIn returns the amount with the decimals of its currency, such as 10.500 for KWD.
// Whole amounts have no decimals. It never drops a digit, even when the currency has
// fewer decimals.
func (m Money) FormatIn(currency string) string { return m.format(Decimals(currency)) }

// format returns a whole amount without decimals, and any other amount with at least
// this number of decimals.
func (m Money) format(decimals int) string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	whole, part := n/uint64(MoneyUnit), strconv.FormatUint(uint64(MoneyUnit)+n%uint64(MoneyUnit), 10)[1:]
	text := sign + strconv.FormatUint(whole, 10)
	if needed := m.Decimals(); needed > 0 {
		text += "." + part[:max(needed, decimals)]
	}
	return text
}

// MarshalJSON writes a JSON number.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads a JSON number as ParseMoney does.
func (m *Money) UnmarshalJSON(b []byte) error {
	v, err := ParseMoney(string(b))
	if err == nil {
		*m = v
	}
	return err
}
