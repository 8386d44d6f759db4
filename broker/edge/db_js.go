package edge

import (
	"fmt"
	"strings"
	"syscall/js"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/sqllog"
)

// db is the SQL storage of a Durable Object. The runtime stores the writes of one turn of the
// event loop all or not at all, and lets no answer leave the object before they are stored.
type db struct{ sql js.Value }

var _ sqllog.DB = db{}

// Exec implements sqllog.DB.
func (d db) Exec(query string, args ...any) (rows [][]any, err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok {
			err = thrownError(thrown)
		}
	}()
	values := []any{query}
	for _, arg := range args {
		if b, ok := arg.([]byte); ok {
			arg = bytesOf(b)
		}
		values = append(values, arg)
	}
	found := js.Global().Get("Array").Call("from", d.sql.Call("exec", values...).Call("raw"))
	for i := range found.Length() {
		row := make([]any, found.Index(i).Length())
		for column := range row {
			row[column] = fromSQL(found.Index(i).Index(column))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// thrownError returns an exception as an error. It wraps eventlog.ErrFull if the storage, or the
// disk below it, has no room.
func thrownError(thrown js.Error) error {
	if text := thrown.Error(); strings.Contains(text, "SQLITE_FULL") || strings.Contains(text, "maximum size") {
		return fmt.Errorf("%w: %s", eventlog.ErrFull, text)
	}
	return thrown
}

// fromSQL returns a value of a column: an int64, a string, nil or a []byte.
func fromSQL(v js.Value) any {
	switch v.Type() {
	case js.TypeNumber:
		return int64(v.Float())
	case js.TypeString:
		return v.String()
	case js.TypeNull:
		return nil
	}
	array := js.Global().Get("Uint8Array").New(v)
	b := make([]byte, array.Length())
	js.CopyBytesToGo(b, array)
	return b
}
