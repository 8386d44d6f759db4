package edge

import (
	"fmt"
	"strings"
	"syscall/js"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/sqllog"
)

// A db is the SQL storage of a Durable Object. What one turn of the event loop
// writes is kept whole or not at all, and no answer leaves the object before
// it is kept.
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

// thrownError is ErrFull where there is no room in the storage, or on the disk
// below it.
func thrownError(thrown js.Error) error {
	if text := thrown.Error(); strings.Contains(text, "SQLITE_FULL") || strings.Contains(text, "maximum size") {
		return fmt.Errorf("%w: %s", eventlog.ErrFull, text)
	}
	return thrown
}

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
