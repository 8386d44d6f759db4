package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Of returns the text of a key, with the arguments in place of %s and %d. A missing key is a
// programming error: Of returns the key in angle brackets, and a test finds it.
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

// Count returns the text of a key with a number: key.one for 1, else key.other.
func Count(key string, n int) string {
	if n == 1 {
		return Of(key+".one", Number(n))
	}
	return Of(key+".other", Number(n))
}

// Label returns the words for a name of the vocabulary: "Payment received" for payment_received. A
// name that does not spell its words has a text with the key name.NAME.
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
