package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// A Cursor is a position in a log. A reader at a cursor has every event up to and including
// it. The zero Cursor is no position.
type Cursor struct {
	// Epoch names the log: 1 to 32 of a-z and 0-9.
	Epoch string
	// Seq is the number of the last event that the reader has. 0 is before the first.
	Seq uint64
}

// maxEpochLen is the length of an epoch, in bytes.
const maxEpochLen = 32

// String returns <epoch>-<sequence>, or "" for the zero Cursor.
func (c Cursor) String() string {
	if c.Epoch == "" {
		return ""
	}
	return c.Epoch + "-" + strconv.FormatUint(c.Seq, 10)
}

// ParseCursor reads a cursor that String wrote. "" is the zero Cursor.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	epoch, digits, found := strings.Cut(s, "-")
	seq, err := strconv.ParseUint(digits, 10, 64)
	if !found || err != nil || !ValidEpoch(epoch) || digits != strconv.FormatUint(seq, 10) {
		return Cursor{}, fmt.Errorf("wire: %.80q is not a cursor", s)
	}
	return Cursor{epoch, seq}, nil
}

// ValidEpoch reports whether s may name a log: 1 to 32 of a-z and 0-9.
func ValidEpoch(s string) bool {
	return s != "" && len(s) <= maxEpochLen && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// MarshalText implements [encoding.TextMarshaler].
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Cursor) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCursor(string(b))
	return err
}
