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

// maxExportEvents is the most events of a file.
const maxExportEvents = 10_000

// export saves all events that match the filter to a file, newest first, at most maxExportEvents. If the broker cannot
// be reached, the file has the events on the page. The page says if events are missing. The kind is "json" or "csv".
func (p *historyPage) export(h *host, kind string) {
	shown, filter := p.rows(h), p.filter
	found, older := []store.Received{}, wire.Cursor{}
	p.saving, p.note = true, ""
	h.request(func(ctx context.Context) error {
		for len(found) < maxExportEvents {
			some, before, err := readOlder(ctx, h.live, filter, older, maxPageEvents)
			if err != nil {
				return err
			}
			found, older = append(found, some...), before
			if older == (wire.Cursor{}) {
				break
			}
		}
		return nil
	}, func(err error) {
		p.saving = false
		events := found
		switch {
		case err != nil:
			events = shown
			p.note = text.Of("events.partial", text.Number(len(shown)), live.Explain(err))
		case older != (wire.Cursor{}):
			p.note = text.Of("events.most", text.Number(len(found)))
		}
		name := "yardline-" + text.Local(h.now).Format("2006-01-02-1504")
		if kind == "json" {
			device.Save(name+".json", "application/json", asJSON(events))
			return
		}
		device.Save(name+".csv", "text/csv;charset=utf-8", asCSV(events, text.DecimalComma()))
	})
}

func asJSON(all []store.Received) string {
	out := []event.Event{}
	for _, e := range all {
		out = append(out, e.Event)
	}
	raw, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		panic(err) // events always marshal
	}
	return string(raw)
}

// byteOrderMark tells spreadsheets that a file is in UTF-8. Without it, some read it in a code page of their own.
const byteOrderMark = "\ufeff"

// asCSV returns a table by RFC 4180: the envelope of the events, then every field that at least one event has. With
// decimalComma it writes decimals with a comma and separates cells by semicolons, because the spreadsheets of such
// users would read 10.05 as a day in May.
func asCSV(all []store.Received, decimalComma bool) string {
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
	if decimalComma {
		separator = ";"
	}
	var out strings.Builder
	out.WriteString(byteOrderMark)
	writeRow := func(row []string) {
		for i, value := range row {
			row[i] = csvCell(value)
		}
		out.WriteString(strings.Join(row, separator) + "\r\n")
	}
	writeRow(append([]string{"time", "type", "severity", "subject", "id", "cursor", "actor"}, columns...))
	for _, e := range all {
		at := e.Time.UTC().Format(time.RFC3339)
		row := []string{at, string(e.Type), string(e.Severity), e.Subject, e.ID, e.Cursor, e.Actor}
		for _, name := range columns {
			value := e.Data.Text(name)
			if decimalComma && hasDecimals(e.Type, name) {
				value = strings.Replace(value, ".", ",", 1)
			}
			row = append(row, value)
		}
		writeRow(row)
	}
	return out.String()
}

// hasDecimals reports whether the values of a field may have decimals.
func hasDecimals(t event.Type, name string) bool {
	spec, _ := event.Spec(t, name)
	return spec.Kind == event.KindMoney || spec.Kind == event.KindNumber
}

// formulaStarts has the characters with which a formula of a spreadsheet may begin, in half and in full width.
const formulaStarts = "=+-@＝＋－＠"

// csvCell returns a value as a cell. It puts an apostrophe before a value that a spreadsheet would read as a formula,
// such as a telephone number, but not before a negative number. It quotes a value that holds a separator, a quote or a
// line break.
func csvCell(value string) string {
	isInvisible := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' }
	visible := strings.TrimLeftFunc(value, isInvisible)
	first, _ := utf8.DecodeRuneInString(visible)
	isNegativeNumber := value == visible && first == '-' && strings.Trim(value[1:], "0123456789.,") == ""
	if visible != "" && strings.ContainsRune(formulaStarts, first) && !isNegativeNumber {
		value = "'" + value
	}
	if strings.ContainsAny(value, ",;\"\r\n") {
		return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
	}
	return value
}
