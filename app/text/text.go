package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Of is the text of a key, with its arguments in place of %s and %d. A key that
// is not there is a programming error, which a test finds.
func Of(key string, args ...any) string {
	message, found := english[key]
	if !found {
		return "⟨" + key + "⟩"
	}
	if len(args) == 0 {
		return message
	}
	return fmt.Sprintf(message, args...)
}

// Count is the text of a key with a number: key.one for 1, else key.other.
func Count(key string, n int) string {
	if n == 1 {
		return Of(key+".one", Number(n))
	}
	return Of(key+".other", Number(n))
}

// Label turns a name of the vocabulary into words: payment_received, Payment
// received. Names that read otherwise have a text of their own.
func Label(name string) string {
	if message, found := english["name."+name]; found {
		return message
	}
	words := strings.ReplaceAll(name, "_", " ")
	if words == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}
