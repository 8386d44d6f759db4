package jetlog

import (
	"fmt"
	"net/url"
	"strings"
)

// token encodes any text as one token of a NATS subject. It percent-encodes all
// bytes but letters, digits, _ and -. The empty text becomes a single %.
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

// parseToken decodes a token.
func parseToken(s string) (string, error) {
	if s == "%" {
		return "", nil
	}
	text, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("jetlog: foreign token: %w", err)
	}
	return text, nil
}
