package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

func TestFramesComeBackFromOneLineOfJSON(t *testing.T) {
	at := Cursor{"k3x9", 5}
	frames := []Frame{
		&Hello{at, Cursor{"k3x9", 9}, Cursor{"k3x9", 1}, 15 * time.Second, time.Second, "c-1", "g"},
		&Gap{at, Cursor{"k3x9", 7}}, &Heartbeat{at}, &Bye{ByeDrain, time.Second},
		&FilterChanged{at, "r\n1", "types=sync_progress"}, NewPong("7"), NewPublished("8", map[string]int{"a": 1}),
		NewRefused("9", map[string]string{"code": "x"}),
	}
	for _, want := range frames {
		line := AppendJSON(nil, want)
		if bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("%q is not one line", line)
		}
		got, err := ParseJSON(line)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %+v, %v", line, got, err)
		}
	}
	line := JSON.Append(nil, &Event{at, example()})
	got, err := ParseJSON(line)
	if err != nil {
		t.Fatal(err)
	}
	want := example()
	want.Cursor = at.String()
	if e := got.(*Event); e.Cursor != at || string(e.Event.AppendJSON(nil)) != string(want.AppendJSON(nil)) {
		t.Errorf("%q became %+v", line, e)
	}
	if f, err := ParseJSON([]byte(`{"event":"from_the_future","id":"k-1","data":{}}`)); f != nil || err != nil {
		t.Errorf("unknown events are passed over, got %v %v", f, err)
	}
	for _, broken := range []string{"", "[]", `{"id":"x"}`, `{"event":"filter","data":[]}`, `{"event":"hello"}`} {
		if f, err := ParseJSON([]byte(broken)); err == nil {
			t.Errorf("%q became %+v", broken, f)
		}
	}
}

func TestParseCallRefusesBrokenCalls(t *testing.T) {
	good := `{"call":"publish","ref":"1","strict":true,"event":{"type":"sync_progress"}}`
	c, err := ParseCall([]byte(good))
	if err != nil || c.Call != CallPublish || c.Ref != "1" || !c.Strict ||
		string(c.Event) != `{"type":"sync_progress"}` {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := ParseCall([]byte("\ufeff" + good)); err != nil || c.Ref != "1" {
		t.Errorf("with a byte order mark: %+v, %v", c, err)
	}
	for _, bad := range []string{"", "null", "[]", "1", `{}`, `{"call":"stop"}`, `{"call":"ping","reference":"1"}`,
		`{"call":"ping"} {}`, `{"call":"ping"}}]`,
		`{"call":"ping","ref":"` + strings.Repeat("x", 65) + `"}`, `{"call":"ping","ref":1}`} {
		if c, err := ParseCall([]byte(bad)); !errors.Is(err, ErrCall) {
			t.Errorf("%q became %+v, %v", bad, c, err)
		}
	}
	if _, err := ParseCall([]byte("{\"call\":\"ping\",\"ref\":\"\xff\"}")); !errors.Is(err, ErrUTF8) {
		t.Errorf("not UTF-8: %v", err)
	}
}

func TestEachReasonHasACloseCodeOfItsOwn(t *testing.T) {
	seen := map[int]bool{}
	for _, r := range []Reason{ByeRetry, ByeSlow, ByeDrain, ByeRegrant, ByeSignedOut, ByeExpired, ByeStop} {
		code := r.CloseCode()
		if code < 4000 || code > 4099 || seen[code] {
			t.Errorf("%s has the close code %d", r, code)
		}
		seen[code] = true
	}
}

// FuzzCall checks that nothing of a call can break the line of its answer.
func FuzzCall(f *testing.F) {
	for _, seed := range []string{`{"call":"auth","token":"x"}`, `{"call":"filter","ref":"\n","filter":"types=a"}`,
		`{"call":"publish","event":{}}`, `{"call":"ping","ref":" "}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseCall(raw)
		if err != nil {
			return
		}
		line := AppendJSON(nil, NewRefused(c.Ref, event.Refuse(c.Filter, "x", string(c.Event))))
		back, err := ParseJSON(line)
		if err != nil || bytes.Count(line, []byte("\n")) != 1 || back.(*Reply).Ref != c.Ref {
			t.Fatalf("%q became %q: %v", raw, line, err)
		}
	})
}
