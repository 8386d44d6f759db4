package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A format is a named rule of a string.
type format struct {
	valid    func(string) bool
	expected string // describes the valid strings, for people
}

// formatLine is the format of a string without control characters. [FieldSpec.Limits]
// describes it.
const formatLine = "line"

var formats = map[string]format{
	"date":     {isDate, "a date as YYYY-MM-DD"},
	"month":    {isMonth, "a month as YYYY-MM"},
	"week":     {isWeek, "a week as YYYY-Www (ISO 8601), such as 2026-W48"},
	"phone":    {isPhone, "a telephone number by E.164, such as +4930123456"},
	"currency": {IsCurrency, "a currency by ISO 4217, such as EUR"},
	"path":     {isPath, "a path on the same site, such as /rentals/123"},
	"nocard":   {isNoCard, "an invoice number without control characters, never the number of a card"},
	formatLine: {valid: isLine},
}

func isPhone(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	return plus && len(digits) >= 2 && len(digits) <= 15 && digits[0] != '0' &&
		strings.Trim(digits, "0123456789") == ""
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func isMonth(s string) bool {
	_, err := time.Parse("2006-01", s)
	return err == nil
}

// isWeek reports whether s is a week that its year has: only some years have week 53.
func isWeek(s string) bool {
	var year, week int
	n, err := fmt.Sscanf(s, "%4d-W%2d", &year, &week)
	if n != 2 || err != nil || s != fmt.Sprintf("%04d-W%02d", year, week) {
		return false
	}
	// 28 December is always in the last week of its ISO year.
	_, last := time.Date(year, time.December, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
	return week >= 1 && week <= last
}

// isLine reports whether a text has no control character. Only such a text may name an
// entity.
func isLine(s string) bool { return !hasControl(s) }

// isPath reports whether s is a path that browsers resolve on the same site. They resolve
// a scheme, //host and /\host to another site, and strip control characters first.
func isPath(s string) bool {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.Contains(s, `\`) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) < 0
}

// isNoCard reports whether a text has no control character and no number of a payment
// card: 13 to 19 digits in a row with a valid check digit (Luhn, ISO/IEC 7812), with or
// without blanks and hyphens between them.
func isNoCard(s string) bool {
	if hasControl(s) {
		return false
	}
	packed := strings.NewReplacer(" ", "", "-", "").Replace(s)
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	return !slices.ContainsFunc(strings.FieldsFunc(packed, notDigit), func(digits string) bool {
		return len(digits) >= 13 && len(digits) <= 19 && validLuhn(digits)
	})
}

func validLuhn(digits string) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// parseTime reads a time by RFC 3339 with any offset, and returns it in UTC. It refuses
// years that Go cannot write as JSON. It reads a leap second, which only the last
// minute of a day in UTC has, as the start of the next minute.
func parseTime(s string) (time.Time, error) {
	plain, leap := strings.CutSuffix(s, ":60Z")
	if leap {
		s = plain + ":59Z"
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, err
	}
	// time.Parse accepts an hour of one digit and a comma, which RFC 3339 does not allow.
	if s[13] != ':' || strings.Contains(s, ",") {
		return time.Time{}, errors.New("event: not RFC 3339")
	}
	if leap {
		if t = t.Add(time.Second); t.Hour() != 0 || t.Minute() != 0 {
			return time.Time{}, errors.New("event: not a leap second")
		}
	}
	if t = t.UTC(); t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf("event: year %d", t.Year())
	}
	return t, nil
}
