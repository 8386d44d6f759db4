package jetlog

import (
	"fmt"
	"net/url"
	"strings"
)

// token makes any text one token of a NATS subject: bytes other than letters,
// digits, _ and - are percent-encoded, and the empty text is a lone %.
func token(s string) string {
	if s == "" {
		return "%"
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func untoken(s string) (string, error) {
	if s == "%" {
		return "", nil
	}
	text, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("jetlog: foreign token: %w", err)
	}
	return text, nil
}
