package pages

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// exportMost is how many events a file has at most.
const exportMost = 10_000

// export saves all events that match, as far back as a file may go; where the
// broker cannot be asked those that are shown. The page says what is missing.
func (r *Root) export(kind string) {
	h := &r.past
	all, w, found, rest := h.rows(r), h.wanted, []store.Received{}, wire.Cursor{}
	h.saving, h.note = true, ""
	r.do(func(ctx context.Context) error {
		for len(found) < exportMost {
			some, before, err := read(ctx, r.Live, w, rest, 1000)
			if err != nil {
				return err
			}
			found, rest = append(found, some...), before
			if rest == (wire.Cursor{}) {
				break
			}
		}
		return nil
	}, func(err error) {
		h.saving = false
		switch {
		case err != nil:
			h.note = text.Of("events.partial", text.Number(len(all)), live.Explain(err))
		case rest != (wire.Cursor{}):
			h.note = text.Of("events.most", text.Number(len(found)))
			all = found
		default:
			all = found
		}
		name := "yardline-" + text.Local(r.now).Format("2006-01-02-1504")
		if kind == "json" {
			device.Save(name+".json", "application/json", asJSON(all))
			return
		}
		device.Save(name+".csv", "text/csv;charset=utf-8", asCSV(all, text.DecimalComma()))
	})
}

func asJSON(all []store.Received) string {
	out := []event.Event{}
	for _, e := range all {
		out = append(out, e.Event)
	}
	raw, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		panic(err) // our own types
	}
	return string(raw)
}

// byteOrderMark tells spreadsheets that a file is in UTF-8: without it some take it for a code page of their own.
const byteOrderMark = "\ufeff"

// asCSV returns a table by RFC 4180: the envelope, then every field that some event has. For readers that write
// decimals with a comma, it writes decimals so and puts semicolons between cells, because their spreadsheets would take
// 10.05 for a day in May.
func asCSV(all []store.Received, comma bool) string {
	columns := []string{}
	for _, e := range all {
		for _, f := range e.Data {
			if !slices.Contains(columns, f.Name) {
				columns = append(columns, f.Name)
			}
		}
	}
	slices.Sort(columns)
	separator := ","
	if comma {
		separator = ";"
	}
	var out strings.Builder
	out.WriteString(byteOrderMark)
	line := func(row []string) {
		for i, value := range row {
			row[i] = cell(value)
		}
		out.WriteString(strings.Join(row, separator) + "\r\n")
	}
	line(append([]string{"time", "type", "severity", "subject", "id", "cursor", "actor"}, columns...))
	for _, e := range all {
		row := []string{e.Time.UTC().Format(time.RFC3339), string(e.Type), string(e.Severity), e.Subject, e.ID, e.Cursor, e.Actor}
		for _, name := range columns {
			value := e.Data.Text(name)
			if comma && decimal(e.Type, name) {
				value = strings.Replace(value, ".", ",", 1)
			}
			row = append(row, value)
		}
		line(row)
	}
	return out.String()
}

// decimal tells whether a field is a number that may have decimals.
func decimal(t event.Type, name string) bool {
	spec, _ := event.Spec(t, name)
	return spec.Kind == event.KindMoney || spec.Kind == event.KindNumber
}

// formula are the characters with which spreadsheets let a formula begin, in half and full width.
const formula = "=+-@＝＋－＠"

// cell quotes a value where it must be, and keeps a spreadsheet from taking a text
// for a formula, or a phone number for a sum. Negative numbers stay.
func cell(value string) string {
	begin := strings.TrimLeftFunc(value,
		func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' })
	first, _ := utf8.DecodeRuneInString(begin)
	number := value == begin && first == '-' && strings.Trim(value[1:], "0123456789.,") == ""
	if begin != "" && strings.ContainsRune(formula, first) && !number {
		value = "'" + value
	}
	if strings.ContainsAny(value, ",;\"\r\n") {
		return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
	}
	return value
}
