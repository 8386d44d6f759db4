package event

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrUTF16 means that a text is in UTF-16, where UTF-8 is needed.
var ErrUTF16 = errors.New("the text is in UTF-16: save or send it as UTF-8")

// utf8Mark is the byte order mark of UTF-8. Editors and shells of Windows write
// it, and JSON does not know it (RFC 8259, section 8.1).
const utf8Mark = "\xef\xbb\xbf"

// TrimByteOrderMark is a text without the byte order mark of UTF-8, which it may
// begin with. The error is ErrUTF16 for a text with the mark of UTF-16.
func TrimByteOrderMark(text []byte) ([]byte, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, ErrUTF16
	}
	return bytes.TrimPrefix(text, []byte(utf8Mark)), nil
}

// SkipByteOrderMark returns a reader of a text without its mark, as TrimByteOrderMark does for a
// slice. The first Read returns its error.
func SkipByteOrderMark(text io.Reader) io.Reader {
	start := make([]byte, len(utf8Mark))
	n, err := io.ReadFull(text, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.MultiReader(bytes.NewReader(start[:n]), failing{err})
	}
	kept, err := TrimByteOrderMark(start[:n])
	if err != nil {
		return failing{err}
	}
	return io.MultiReader(bytes.NewReader(kept), text)
}

// failing is a reader that returns its error only.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// isID tells whether a text may identify an entity: it has no control character
// and no replacement character. Two ids with unreadable characters would
// otherwise be one.
func isID(s string) bool { return !hasControl(s) && !strings.ContainsRune(s, utf8.RuneError) }

// hasControl tells whether a text has a control character (Unicode's category
// Cc: C0, DEL and C1).
func hasControl(s string) bool { return strings.IndexFunc(s, unicode.IsControl) >= 0 }
