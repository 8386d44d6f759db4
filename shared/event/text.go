package event

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrUTF16 means that a text is in UTF-16 instead of UTF-8.
var ErrUTF16 = errors.New("the text is in UTF-16: save or send it as UTF-8")

// utf8Mark is the byte order mark of UTF-8. Editors and shells of Windows write it, but
// JSON does not allow it (RFC 8259, section 8.1).
const utf8Mark = "\xef\xbb\xbf"

// TrimByteOrderMark returns a text without the byte order mark of UTF-8 that it may begin
// with. It returns ErrUTF16 for a text with a byte order mark of UTF-16.
func TrimByteOrderMark(text []byte) ([]byte, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, ErrUTF16
	}
	return bytes.TrimPrefix(text, []byte(utf8Mark)), nil
}

// SkipByteOrderMark is [TrimByteOrderMark] for a reader. It reads the first bytes of text
// at once. Its error comes from the first Read of the result.
func SkipByteOrderMark(text io.Reader) io.Reader {
	start := make([]byte, len(utf8Mark))
	n, err := io.ReadFull(text, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.MultiReader(bytes.NewReader(start[:n]), failingReader{err})
	}
	kept, err := TrimByteOrderMark(start[:n])
	if err != nil {
		return failingReader{err}
	}
	return io.MultiReader(bytes.NewReader(kept), text)
}

// A failingReader is a reader whose Read only returns an error.
type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// isID reports whether a text may identify an entity: it has no control character and no
// replacement character (U+FFFD). Otherwise, two ids with different characters that
// cannot be read would be the same.
func isID(s string) bool { return !hasControl(s) && !strings.ContainsRune(s, utf8.RuneError) }

// hasControl reports whether a text has a control character (Unicode's category Cc: C0,
// DEL and C1).
func hasControl(s string) bool { return strings.IndexFunc(s, unicode.IsControl) >= 0 }
