package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrap returns an event of a type with a payload.
func wrap(t Type, data string) []byte {
	return fmt.Appendf(nil, `{"type":%q,"data":%s}`, t, data)
}

// withoutField returns the example event of a type without one of its fields.
func withoutField(t Type, name string) []byte {
	var rest Object
	for _, f := range Example(t).Data {
		if f.Name != name {
			rest = append(rest, f)
		}
	}
	return wrap(t, string(rest.AppendJSON(nil)))
}

// withField returns the example event of a type in which a field has another value.
func withField(t Type, name, raw string) []byte {
	return wrap(t, string(Example(t).Data.With(name, json.RawMessage(raw)).AppendJSON(nil)))
}

// refusal returns the fields for which Parse refuses an event.
func refusal(t *testing.T, raw []byte, strict bool) []FieldError {
	t.Helper()
	_, _, err := Parse(raw, Rules{Strict: strict})
	var p *Problem
	if !errors.As(err, &p) || len(p.Fields) == 0 {
		t.Fatalf("%s: want a Problem, got %v", raw, err)
	}
	return p.Fields
}

func TestExamplesAreValidInStrictMode(t *testing.T) {
	for _, typ := range Types {
		e, remarks, err := Parse(wrap(typ, string(Example(typ).Data.AppendJSON(nil))), Rules{Strict: true})
		if err != nil || len(remarks) > 0 {
			t.Errorf("%s: %v %v", typ, err, remarks)
		}
		if kind, _, _ := strings.Cut(e.Subject, "/"); !slices.Contains(SubjectKinds, kind) {
			t.Errorf("%s: subject of an unknown kind: %s", typ, e.Subject)
		}
		if len(e.Data) < 4 || e.Subject == "" || e.Severity == "" {
			t.Errorf("%s: incomplete: %+v", typ, e)
		}
	}
}

// invalidValues has a value that no field of the kind accepts.
var invalidValues = map[Kind]string{
	KindInt:      `"7"`,
	KindString:   `7`,
	KindBool:     `1`,
	KindNumber:   `"1"`,
	KindMoney:    `1.2345`,
	KindRef:      `true`,
	KindTime:     `"yesterday"`,
	KindIntList:  `[0]`,
	KindTextList: `["nobody"]`,
}

func TestEveryFieldIsChecked(t *testing.T) {
	for _, typ := range Types {
		for _, spec := range Fields(typ) {
			if spec.Required {
				if got := refusal(t, withoutField(typ, spec.Name), false); got[0].Pointer != "/data/"+spec.Name ||
					got[0].Code != "required" {
					t.Errorf("%s without %s: %+v", typ, spec.Name, got)
				}
			}
			bad := invalidValues[spec.Kind]
			got := refusal(t, withField(typ, spec.Name, bad), false)
			if got[0].Pointer != "/data/"+spec.Name || got[0].Expected == "" {
				t.Errorf("%s with %s=%s: %+v", typ, spec.Name, bad, got)
			}
			if spec.Enum != nil && spec.Kind == KindString {
				if got := refusal(t, withField(typ, spec.Name, `"other_value"`), false); got[0].Code != "enum" ||
					!strings.Contains(got[0].Expected, spec.Enum[0]) {
					t.Errorf("%s enum %s: %+v", typ, spec.Name, got)
				}
			}
			if spec.MaxLen > 0 && spec.Format == "" {
				refusal(t, withField(typ, spec.Name, `"`+strings.Repeat("é", spec.MaxLen+1)+`"`), false)
				if _, _, err := Parse(withField(typ, spec.Name, `"`+strings.Repeat("é", spec.MaxLen)+`"`),
					Rules{}); err != nil {
					t.Errorf("%s: %d characters of %s refused: %v", typ, spec.MaxLen, spec.Name, err)
				}
			}
		}
	}
}

func TestRefusalsNameTheField(t *testing.T) {
	deep := strings.Repeat("[", 8) + strings.Repeat("]", 8)
	for _, c := range []struct{ in, pointer, code string }{
		{`{"type":"rental_status_updated","data":{"rental_id":0,"status":"active"}}`, "/data/rental_id", "limit"},
		{`{"type":"rental_status_updated","data":{"rental_id":1.0,"status":"active"}}`, "/data/rental_id", "limit"},
		{`{"type":"rental_status_updated","data":{"rental_id":9223372036854775808,"status":"active"}}`,
			"/data/rental_id", "limit"},
		{`{"type":"payment_received","data":{"rental_id":1,"amount":0,"payment_method":"cash"}}`, "/data/amount",
			"limit"},
		{`{"type":"payment_received","data":{"rental_id":1,"amount":"5","payment_method":"cash"}}`, "/data/amount",
			"type"},
		{`{"type":"payment_received","data":{"rental_id":1,"amount":5,"currency":"XYZ","payment_method":"cash"}}`,
			"/data/currency", "format"},
		{`{"type":"payment_received","data":{"rental_id":1,"amount":5,"payment_method":"cash",` +
			`"invoice_number":"4111 1111 1111 1111"}}`, "/data/invoice_number", "format"},
		{`{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":-1}}`, "/data/days_overdue", "limit"},
		{`{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"customer_phone":"030 123"}}`,
			"/data/customer_phone", "format"},
		{`{"type":"equipment_location_updated","data":{"equipment_id":1,"latitude":91,"longitude":0}}`,
			"/data/latitude", "limit"},
		{`{"type":"equipment_location_updated","data":{"equipment_id":1,"latitude":9}}`, "/data/longitude", "required"},
		{`{"type":"equipment_location_updated","data":{"equipment_id":1}}`, "/data/location_name", "required"},
		{`{"type":"equipment_location_updated","data":{"equipment_id":1,"location_name":"x","heading_deg":360}}`,
			"/data/heading_deg", "limit"},
		{`{"type":"timesheet_updated","data":{"employee_id":1,"status":"draft"}}`, "/data/date", "required"},
		{`{"type":"timesheet_updated","data":{"employee_id":1,"status":"draft","date":"2026-02-30"}}`, "/data/date",
			"format"},
		{`{"type":"timesheet_updated","data":{"employee_id":1,"status":"draft","period":"2025-W53"}}`, "/data/period",
			"format"},
		{`{"type":"timesheet_updated","data":{"employee_id":1,"status":"draft","date":"2026-02-03",` +
			`"hours_worked":25}}`, "/data/hours_worked", "limit"},
		{`{"type":"payroll_processed","data":{"period":"2026-11","employee_id":4}}`, "/data/amount", "required"},
		{`{"type":"payroll_processed","data":{"period":"2026-13"}}`, "/data/period", "format"},
		{`{"type":"leave_request_updated","data":{"leave_request_id":1,"employee_id":1,"status":"pending",` +
			`"start_date":"2026-12-02","end_date":"2026-12-01"}}`, "/data/end_date", "rule"},
		{`{"type":"leave_request_updated","data":{"leave_request_id":1,"employee_id":1,"status":"pending",` +
			`"start_date":"2026-12-02","end_date":"2026-12-02","days":0.3}}`, "/data/days", "limit"},
		{`{"type":"system_notification","data":{"message":"m","action_url":"//evil.example"}}`, "/data/action_url",
			"format"},
		{`{"type":"system_notification","data":{"message":"m","action_url":"javascript:alert(1)"}}`,
			"/data/action_url", "format"},
		{`{"type":"system_notification","data":{"message":"m","action_url":"/\\evil.example"}}`, "/data/action_url",
			"format"},
		{`{"type":"system_notification","data":{"message":"  "}}`, "/data/message", "limit"},
		{`{"type":"sync_progress","data":{"progress":10,"current":3,"total":2}}`, "/data/current", "rule"},
		{`{"type":"sync_progress","data":{"progress":101}}`, "/data/progress", "limit"},
		{`{"type":"sync_progress","data":{"progress":1,"progress":2}}`, "/data/progress", "duplicate"},
		{`{"type":"sync_progress","data":{"progress":1,"x":{"a~/":1,"a~/":2}}}`, "/data/x/a~0~1", "duplicate"},
		{`{"type":"sync_progress","data":{"progress":1,"x":` + deep + `}}`, "/data/x/0/0/0/0/0/0/0", "depth"},
		{`{"type":"sync_progress","data":{"progress":1,"x":"` + strings.Repeat("x", MaxDataBytes) + `"}}`, "/data",
			"size"},
		{`{"type":"sync_progress","data":[1]}`, "/data", "type"},
		{`{"type":"sync_progress"}`, "/data", "required"},
		{`{"type":"no_such","data":{}}`, "/type", "unknown_type"},
		{`{"data":{}}`, "/type", "required"},
		{`{"type":7,"data":{}}`, "/type", "type"},
		{`{"type":"sync_progress","data":{"progress":1},"specversion":"0.3"}`, "/specversion", "enum"},
		{`{"type":"sync_progress","data":{"progress":1},"time":"2026-11-23"}`, "/time", "format"},
		{`{"type":"sync_progress","data":{"progress":1},"severity":"bad"}`, "/severity", "enum"},
		{`{"type":"sync_progress","data":{"progress":1},"id":""}`, "/id", "limit"},
		{`{"type":"sync_progress","data":{"progress":1},"datacontenttype":"text/xml"}`, "/datacontenttype", "enum"},
		{`{"type":"sync_progress","data":{"progress":1}} x`, "", "json"},
		{`{"type":"sync_progress","data":{"progress":01}}`, "", "json"},
		{"{\"type\":\"sync_progress\",\"data\":{\"progress\":1,\"error\":\"a\nb\"}}", "", "json"},
		{"{\"type\":\"sync_progress\",\"data\":{\"progress\":1,\"error\":\"\xff\"}}", "", "utf8"},
		{`{"type":"sync_progress","data":{"progress":1},"time":"2026-11-23T1:02:03Z"}`, "/time", "format"},
		{`{"type":"sync_progress","data":{"progress":1},"time":"2026-11-23T01:02:03,5Z"}`, "/time", "format"},
		{`{"type":"sync_progress","data":{"progress":1},"time":"0001-01-01T00:00:00Z"}`, "/time", "format"},
		{`{"type":"sync_progress","data":{"progress":1},"source":"/a b"}`, "/source", "format"},
		{`{"type":"sync_progress","data":{"progress":1,"sync_id":""}}`, "/data/sync_id", "limit"},
		{`{"type":"equipment_location_updated","data":{"equipment_id":1,"location_name":"  "}}`, "/data/location_name",
			"required"},
		{`{"type":"system_notification","data":{"message":"m","audience":[]}}`, "/data/audience", "enum"},
		{`{"type":"payment_received","data":{"rental_id":1,"amount":5,"payment_method":"cash",` +
			`"invoice_number":"INV 4111-1111-1111-1111 x"}}`, "/data/invoice_number", "format"},
		{`[]`, "", "type"}, {``, "", "json"}, {`{`, "", "json"}, {`{}}`, "", "json"},
	} {
		got := refusal(t, []byte(c.in), false)
		if got[0].Pointer != c.pointer || got[0].Code != c.code {
			t.Errorf("%.120s\n got %+v, want %s %s", c.in, got[0], c.pointer, c.code)
		}
	}
}

func TestStrictModeRefusesWhatLenientModeDrops(t *testing.T) {
	raw := []byte(`{"type":"maintenance_required","subject":"x/1","extra":1,"data":{"equipment_name":"A",` +
		`"issue":"B","colour":"red","due_date":null}}`)
	e, remarks, err := Parse(raw, Rules{})
	if err != nil || len(remarks) != 3 || e.Data.Has("colour") || e.Data.Has("due_date") || e.Subject != "equipment/A" {
		t.Fatalf("lenient: %v %+v %+v", err, remarks, e)
	}
	pointers := ""
	for _, f := range refusal(t,
		[]byte(`{"type":"maintenance_required","data":{"equipment_name":"A","issue":"B","colour":"red"}}`), true) {
		pointers += f.Pointer + " " + f.Code + ";"
	}
	if pointers != "/data/colour unknown_field;/data/equipment_id required;" {
		t.Error("strict:", pointers)
	}
}

func TestParseReturnsTheCanonicalForm(t *testing.T) {
	e, _, err := Parse([]byte(`{"data":{ "payment_method":"cash","received_at":"2026-11-23T15:00:00+02:00",`+
		`"amount":1.50e3, "rental_id" : 5},
		"type":"payment_received","id":"a","time":"2026-11-23T01:02:03.5+01:00"}`), Rules{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"specversion":"1.0","id":"a","type":"payment_received","source":"/yardline","subject":"rental/5",` +
		`"time":"2026-11-23T00:02:03.5Z","severity":"success",` +
		`"data":{"rental_id":5,"amount":1500,"payment_method":"cash","received_at":"2026-11-23T13:00:00Z"}}`
	if got := string(e.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var back Event
	if err := json.Unmarshal([]byte(want), &back); err != nil || string(back.AppendJSON(nil)) != want {
		t.Errorf("round trip: %v %s", err, back.AppendJSON(nil))
	}
}

// Readers split lines at different characters. None of these may be in an event.
func TestEventIsWrittenAsOneLine(t *testing.T) {
	const notes = "a\u0085b\u2028c\u2029d\ve\ff\x1cg\nh"
	body, err := json.Marshal(map[string]any{"type": "rental_status_updated", "id": "a",
		"data": map[string]any{"rental_id": 5, "status": "active", "notes": notes}})
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := Parse(body, Rules{})
	if err != nil {
		t.Fatal(err)
	}
	line := e.AppendJSON(nil)
	breaks := func(r rune) bool { return r < ' ' || strings.ContainsRune("\u0085\u2028\u2029", r) }
	if at := bytes.IndexFunc(line, breaks); at >= 0 {
		t.Errorf("a line ends at byte %d of %q", at, line)
	}
	var back Event
	if err := json.Unmarshal(line, &back); err != nil || string(back.AppendJSON(nil)) != string(line) {
		t.Errorf("round trip: %v %s", err, back.AppendJSON(nil))
	}
	var data struct{ Data struct{ Notes string } }
	if err := json.Unmarshal(line, &data); err != nil || data.Data.Notes != notes {
		t.Errorf("got %q, %v", data.Data.Notes, err)
	}
}

func TestConstructorsBuildTheirPayloads(t *testing.T) {
	data := func(e Event, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(e.Data.AppendJSON(nil))
	}
	for _, c := range []struct{ got, want string }{
		{data(RentalStatusUpdated(123, "active", "John Doe")),
			`{"rental_id":123,"status":"active","customer":"John Doe"}`},
		{data(PaymentReceived(123, "1500", "credit_card")),
			`{"rental_id":123,"amount":1500,"payment_method":"credit_card"}`},
		{data(MaintenanceRequired("Excavator XC-200", "Engine maintenance due")),
			`{"equipment_name":"Excavator XC-200","issue":"Engine maintenance due"}`},
		{data(RentalOverdue(1, 0, "")),
			`{"rental_id":1,"days_overdue":0}`},
		{data(EquipmentLocationUpdated(7, 0, -0.5)),
			`{"equipment_id":7,"latitude":0,"longitude":-0.5}`},
		{data(TimesheetUpdated(1, 2, "draft", "2026-11-23")),
			`{"timesheet_id":1,"employee_id":2,"status":"draft","date":"2026-11-23"}`},
		{data(PayrollProcessed("2026-11", "completed")),
			`{"period":"2026-11","status":"completed"}`},
		{data(PayslipReady("2026-11", 456, "2100.5")),
			`{"period":"2026-11","employee_id":456,"amount":2100.50}`},
		{data(LeaveRequestUpdated(1, 2, "pending", "2026-12-01", "2026-12-02")),
			`{"leave_request_id":1,"employee_id":2,"status":"pending",` +
				`"start_date":"2026-12-01","end_date":"2026-12-02"}`},
		{data(SystemNotification("", "Hello", "")),
			`{"message":"Hello"}`},
		{data(SyncProgress("s", "all", 0)),
			`{"sync_id":"s","entity":"all","progress":0}`},
		{data(New(TypeSyncProgress, map[string]any{"progress": 5, "status": "completed"})),
			`{"status":"completed","progress":5}`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	for _, err := range []error{
		errorOf(RentalStatusUpdated(0, "active", "")), errorOf(PaymentReceived(1, "1.2345", "cash")),
		errorOf(New("nope", nil)),
		errorOf(New(TypeSyncProgress, map[string]any{"progress": 5, "x": 1})),
		errorOf(New(TypeSyncProgress, make(chan int))),
	} {
		var p *Problem
		if !errors.As(err, &p) {
			t.Errorf("want a Problem, got %v", err)
		}
	}
}

// errorOf returns the error of a call.
func errorOf[T any](_ T, err error) error { return err }

func TestDecodeRefusesAnotherPayload(t *testing.T) {
	p, err := Decode[PaymentReceivedData](Example(TypePaymentReceived))
	if err != nil || p.Amount != 1500*MoneyUnit || p.PaymentID != "9001" || *p.BalanceDue != 0 {
		t.Fatalf("%+v %v", p, err)
	}
	for _, typ := range Types {
		if _, err := Decode[Object](Example(typ)); err == nil {
			t.Error("decoded into a foreign type")
		}
	}
}

func TestStampKeepsTheIDAndTimeOfThePublisher(t *testing.T) {
	now := time.Date(2026, 11, 23, 1, 2, 3, 4567890, time.UTC)
	e := Example(TypeSyncProgress).Stamp("fresh", now)
	if e.ID != "fresh" || e.Time.Nanosecond() != 4000000 {
		t.Errorf("%+v", e)
	}
	if again := e.Stamp("other", now.Add(time.Hour)); again.ID != "fresh" || !again.Time.Equal(e.Time) {
		t.Error("stamped twice")
	}
}

// FuzzParse checks that an event which Parse accepts is canonical: it has no control
// character, and Parse accepts it again without a change.
func FuzzParse(f *testing.F) {
	for _, typ := range Types {
		f.Add(wrap(typ, string(Example(typ).Data.AppendJSON(nil))))
	}
	f.Add([]byte(`{"type":"sync_progress","id":"\r\n\u0000","data":{"progress":1e1,"error":"\u2028 "}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, _, err := Parse(raw, Rules{})
		if err != nil {
			return
		}
		out := e.Stamp("id", time.Unix(0, 0)).AppendJSON(nil)
		if i := bytes.IndexFunc(out, func(r rune) bool { return r < 0x20 }); i >= 0 {
			t.Fatalf("control character at %d of %q", i, out)
		}
		again, _, err := Parse(out, Rules{})
		if err != nil {
			t.Fatalf("%s\nis refused: %v", out, err)
		}
		if second := again.AppendJSON(nil); !bytes.Equal(out, second) {
			t.Fatalf("not canonical:\n%s\n%s", out, second)
		}
	})
}
