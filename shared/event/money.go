package event

import (
	"errors"
	"strconv"
	"strings"
)

// Money is an amount in hundredths of its currency's unit. It is read from a
// JSON number exactly, never through a float.
type Money int64

var errMoney = errors.New("event: not a number with at most two decimals")

// MaxMoney is the largest amount. JavaScript reads its hundredths exactly, and
// a thousand of them still add up.
const MaxMoney Money = 1<<53 - 1

// maxMoneyExponent bounds the exponent that ParseMoney follows.
const maxMoneyExponent = 18

// ParseMoney reads a decimal number such as 1500, 19.9 or 1.5e3. More than
// two decimals (trailing zeros aside) and amounts beyond 2^53 hundredths
// are errors.
func ParseMoney(s string) (Money, error) {
	digits, negative := strings.CutPrefix(s, "-")
	mantissa, exponent := digits, 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(digits[i+1:]); err != nil || exponent > maxMoneyExponent || exponent < -maxMoneyExponent {
			return 0, errMoney
		}
		mantissa = digits[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, errMoney
	}
	// The point moves right by two for hundredths and by the exponent.
	shift := exponent + 2 - len(fraction)
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

// String is the shortest exact form with no or two decimals: 1500, 19.90.
func (m Money) String() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	whole, cents := strconv.FormatUint(n/100, 10), n%100
	if cents == 0 {
		return sign + whole
	}
	return sign + whole + "." + strconv.FormatUint(cents/10, 10) + strconv.FormatUint(cents%10, 10)
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
