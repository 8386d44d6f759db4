package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// clock is the time of the broker's clock.
var clock = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// Times of past events may be at most MaxAhead after the broker's clock. Planned times
// may be any.
func TestParseRefusesPastEventsInTheFuture(t *testing.T) {
	soon, far := clock.Add(MaxAhead).Format(time.RFC3339), clock.Add(MaxAhead+time.Second).Format(time.RFC3339)
	envelope := func(at string) string {
		return fmt.Sprintf(`{"type":"equipment_location_updated","time":%q,`+
			`"data":{"equipment_id":7,"location_name":"x"}}`, at)
	}
	fix := func(at string) string {
		return fmt.Sprintf(`{"type":"equipment_location_updated","data":{"equipment_id":7,"location_name":"x",`+
			`"recorded_at":%q}}`, at)
	}
	payment := func(at string) string {
		return fmt.Sprintf(`{"type":"payment_received","data":{"rental_id":1,"amount":1,"payment_method":"cash",`+
			`"received_at":%q}}`, at)
	}
	notice := func(at string) string {
		return fmt.Sprintf(`{"type":"system_notification","data":{"message":"m","starts_at":%q,"expires_at":%q}}`, at,
			at)
	}
	for _, c := range []struct{ in, pointer string }{
		{envelope(soon), ""}, {envelope(far), "/time"}, {envelope("2046-01-01T00:00:00Z"), "/time"},
		{envelope("9999-12-31T23:59:59Z"), "/time"},
		{fix(soon), ""}, {fix(far), "/data/recorded_at"}, {fix("2026-12-01T23:06:00+14:00"), "/data/recorded_at"},
		{fix("2026-12-01T23:00:00+14:00"), ""},
		{payment(soon), ""}, {payment(far), "/data/received_at"}, {notice("2046-01-01T00:00:00Z"), ""},
	} {
		_, _, err := Parse([]byte(c.in), Rules{Now: clock})
		var p *Problem
		switch {
		case c.pointer == "" && err != nil:
			t.Errorf("%s: %v", c.in, err)
		case c.pointer != "" && (!errors.As(err, &p) || p.Fields[0].Pointer != c.pointer ||
			p.Fields[0].Code != "limit"):
			t.Errorf("%s: %v, want %s", c.in, err, c.pointer)
		}
		if _, _, err := Parse([]byte(c.in), Rules{}); err != nil {
			t.Errorf("without a clock: %s: %v", c.in, err)
		}
	}
}

func TestClampTimesBoundsTheTimesOfStoredEvents(t *testing.T) {
	e, _, err := Parse([]byte(`{"type":"equipment_location_updated","time":"2046-01-01T00:00:00Z",`+
		`"data":{"equipment_id":7,"location_name":"x","recorded_at":"2046-01-01T00:00:00Z"}}`), Rules{})
	if err != nil {
		t.Fatal(err)
	}
	bounded := e.ClampTimes(clock)
	if !bounded.Time.Equal(clock) || bounded.Data.Text("recorded_at") != "2026-12-01T09:00:00Z" ||
		e.Data.Text("recorded_at") != "2046-01-01T00:00:00Z" {
		t.Errorf("%s", bounded.AppendJSON(nil))
	}
	for _, as := range []Event{e.ClampTimes(time.Time{}), e.ClampTimes(e.Time.Add(-MaxAhead))} {
		if string(as.AppendJSON(nil)) != string(e.AppendJSON(nil)) {
			t.Errorf("changed without need: %s", as.AppendJSON(nil))
		}
	}
}

func TestIdentifyingTextsHaveNoControlCharacters(t *testing.T) {
	for _, bad := range []string{`\u0000`, `\n`, `\r\n`, `\t`, `\u001b`, `\u007f`, `\u0085`, `\u009f`} {
		for pointer, in := range map[string]string{
			"/id":                  `{"type":"sync_progress","id":"a%sb","data":{"progress":1}}`,
			"/source":              `{"type":"sync_progress","source":"/a%sb","data":{"progress":1}}`,
			"/data/sync_id":        `{"type":"sync_progress","data":{"progress":1,"sync_id":"a%sb"}}`,
			"/data/equipment_name": `{"type":"maintenance_required","data":{"equipment_name":"a%sb","issue":"x"}}`,
			"/data/maintenance_id": `{"type":"maintenance_required","data":{"maintenance_id":"a%sb",` +
				`"equipment_name":"x","issue":"x"}}`,
			"/data/payment_id": `{"type":"payment_received","data":{"payment_id":"a%sb","rental_id":1,` +
				`"amount":1,"payment_method":"cash"}}`,
			"/data/payroll_run_id": `{"type":"payroll_processed","data":{"payroll_run_id":"a%sb","period":"2026-11"}}`,
			"/data/rental_number": `{"type":"rental_status_updated","data":{"rental_number":"a%sb","rental_id":1,` +
				`"status":"active"}}`,
			"/data/invoice_number": `{"type":"payment_received","data":{"invoice_number":"a%sb","rental_id":1,` +
				`"amount":1,"payment_method":"cash"}}`,
		} {
			got := refusal(t, fmt.Appendf(nil, in, bad), false)
			if got[0].Pointer != pointer || got[0].Expected == "" {
				t.Errorf("%s with %s: %+v", pointer, bad, got)
			}
		}
	}
	e, _, err := Parse(wrap(TypeMaintenanceRequired, `{"equipment_name":"Crane ✓ é","issue":"Leak\nleft\u0085side"}`),
		Rules{})
	if err != nil || EntityKey(e) != "maintenance/case/Crane ✓ é/Leak%0Aleft%85side" ||
		e.Data.Text("issue") != "Leak\nleft\u0085side" {
		t.Errorf("an issue of several lines: %v, %q", err, EntityKey(e))
	}
}

// A refusal of UTF-16 must name the encoding.
func TestParseSkipsTheByteOrderMark(t *testing.T) {
	const plain = `{"type":"sync_progress","data":{"progress":1}}`
	if _, _, err := Parse([]byte("\xef\xbb\xbf"+plain), Rules{}); err != nil {
		t.Error(err)
	}
	if got := refusal(t, []byte("\xef\xbb\xbf\xef\xbb\xbf"+plain), false); got[0].Code != "json" {
		t.Errorf("two marks: %+v", got)
	}
	for _, mark := range []string{"\xff\xfe{\x00", "\xfe\xff\x00{"} {
		if got := refusal(t, []byte(mark), false); got[0].Code != "utf8" || !strings.Contains(got[0].Expected,
			"UTF-16") {
			t.Errorf("%q: %+v", mark, got)
		}
		if _, err := io.ReadAll(SkipByteOrderMark(strings.NewReader(mark))); !errors.Is(err, ErrUTF16) {
			t.Errorf("%q: %v", mark, err)
		}
	}
	for _, text := range []string{"", "x", plain} {
		for _, start := range []string{"", utf8Mark} {
			got, err := io.ReadAll(SkipByteOrderMark(iotest.OneByteReader(strings.NewReader(start + text))))
			if err != nil || string(got) != text {
				t.Errorf("%q: %q, %v", start+text, got, err)
			}
		}
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(SkipByteOrderMark(iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestParseReadsOddTimesAndNumbersOfPublishers(t *testing.T) {
	for _, c := range []struct {
		time string
		want string // "" when Parse refuses it
	}{
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"}, {"2017-01-01T00:59:60+01:00", ""},
		{"2026-11-23T12:00:60Z", ""}, {"2026-11-23T12:60:60Z", ""},
		{"2026-11-23T12:00:00+14:00", "2026-11-22T22:00:00Z"}, {"2026-11-23T12:00:00-12:00", "2026-11-24T00:00:00Z"},
		{"2026-11-23T12:00:00-00:00", "2026-11-23T12:00:00Z"},
		{"0000-01-01T00:00:00Z", ""}, {"9999-12-31T23:59:59-01:00", ""}, {"10000-01-01T00:00:00Z", ""},
		{"2026-11-23T24:00:00Z", ""}, {"2026-02-29T00:00:00Z", ""},
		{"2026-11-23T12:00:00.123456789123Z", "2026-11-23T12:00:00.123456789Z"}, {"2026-11-23T12:00:00", ""},
		{"2026-11-23 12:00:00Z", ""}, {":60Z", ""},
	} {
		e, _, err := Parse(fmt.Appendf(nil, `{"type":"sync_progress","time":%q,"data":{"progress":1}}`, c.time),
			Rules{})
		if (err == nil) != (c.want != "") || err == nil && e.Time.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s: %v, %v, want %q", c.time, e.Time, err, c.want)
		}
	}
	for in, ok := range map[string]bool{"1e2": true, "-0": true, "0.30000000000000004": true, "1e400": false,
		"1e-400": true, "100": true, "100.0000000000000001": true, "+1": false, ".5": false, "5.": false} {
		_, _, err := Parse(wrap(TypeSyncProgress, `{"progress":`+in+`}`), Rules{})
		if (err == nil) != ok {
			t.Errorf("progress %s: %v", in, err)
		}
	}
	for in, ok := range map[string]bool{"1": true, "9007199254740993": true, "9223372036854775807": true,
		"9223372036854775808": false, "-0": false, "1e2": false, "1.0": false, "01": false} {
		e, _, err := Parse(wrap(TypeRentalStatusUpdated, `{"status":"active","rental_id":`+in+`}`), Rules{})
		if (err == nil) != ok || ok && e.Subject != "rental/"+in {
			t.Errorf("rental %s: %v %s", in, err, e.Subject)
		}
	}
	for in, want := range map[string]string{"1e2": "100", "-0": "0", "45.0": "45", "0.1000": "0.1", "1e-7": "1e-7",
		"99.999999999999999": "100"} {
		e, _, err := Parse(wrap(TypeSyncProgress, `{"progress":`+in+`}`), Rules{})
		if text, _ := ToastText(e, false); err != nil || e.Data.Text("progress") != want ||
			text != "Syncing customers: "+want+"%" {
			t.Errorf("progress %s became %s: %s, %v", in, e.Data.Text("progress"), text, err)
		}
	}
	if got := refusal(t, []byte(`{"type":"sync_progress","id":"a\ud800","data":{"progress":1}}`),
		false); got[0].Pointer != "/id" {
		t.Errorf("half a surrogate pair: %+v", got)
	}
	empty, _, err := Parse(wrap(TypeRentalStatusUpdated, `{"rental_id":1,"status":"active","rental_number":""}`),
		Rules{})
	if text, _ := ToastText(empty, false); err != nil || text != "Rental #1: active" {
		t.Errorf("an empty number: %q, %v", text, err)
	}
	long := strings.Repeat("é", maxIDLen)
	for _, id := range []string{"a", long} {
		raw, _ := json.Marshal(map[string]any{"type": "sync_progress", "id": id, "data": map[string]any{"progress": 1}})
		if _, _, err := Parse(raw, Rules{}); err != nil {
			t.Errorf("id of %d: %v", len(id), err)
		}
	}
	if got := refusal(t, fmt.Appendf(nil, `{"type":"sync_progress","id":"%sx","data":{"progress":1}}`, long),
		false); got[0].Pointer != "/id" {
		t.Errorf("%+v", got)
	}
}
