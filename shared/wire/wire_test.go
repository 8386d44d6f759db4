package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// referenceMessages reads a whole event stream in the plainest way that follows the standard. It
// returns the fields of each message as one string.
func referenceMessages(stream string) []string {
	stream = strings.TrimPrefix(stream, "\uFEFF")
	stream = strings.ReplaceAll(stream, "\r\n", "\n")
	lines := strings.Split(strings.ReplaceAll(stream, "\r", "\n"), "\n")
	var out []string
	var data, kind, id, lastID, retry string
	for _, line := range lines[:len(lines)-1] { // the text after the last line end is dropped
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			lastID = id
			if data != "" {
				if kind == "" {
					kind = "message"
				}
				out = append(out, fmt.Sprintf("%q %q %q %s", kind, strings.TrimSuffix(data, "\n"), lastID, retry))
			}
			data, kind, retry = "", "", ""
		case name == "data":
			data += value + "\n"
		case name == "event":
			kind = value
		case name == "id" && !strings.Contains(value, "\x00"):
			id = value
		case name == "retry" && value != "" && strings.Trim(value, "0123456789") == "" && len(value) < 10:
			retry = strings.TrimLeft(value, "0") // 0 is the same as none
		}
	}
	return out
}

// decode feeds the stream to a Decoder in pieces of the given sizes, in turn.
func decode(t testing.TB, stream string, sizes ...int) []string {
	t.Helper()
	var d Decoder
	var out []string
	rest := []byte(stream)
	for i := 0; len(rest) > 0; i++ {
		n := min(sizes[i%len(sizes)], len(rest))
		// The copy is overwritten below, so that a Decoder which keeps it fails.
		piece := bytes.Clone(rest[:n])
		err := d.Feed(piece, func(m Message) {
			if !m.Empty {
				retry := ""
				if m.Retry > 0 {
					retry = fmt.Sprint(m.Retry.Milliseconds())
				}
				out = append(out, fmt.Sprintf("%q %q %q %s", m.Type, m.Data, m.LastEventID, retry))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range piece {
			piece[i] = '#'
		}
		rest = rest[n:]
	}
	return out
}

var streams = []string{
	"data: one\n\n",
	"\uFEFFdata: with a mark\n\n",
	"\uFEFF\uFEFFdata: two marks\n\ndata: x\n\n",
	"data: a\r\rdata: b\r\n\r\ndata: c\n\n",
	"data: a\r\n\r\ndata:b\n\r\n",
	"data\n\ndata\ndata\n\ndata:\n\n",
	"data:  two blanks\n\n",
	"id: 1\nevent: e\ndata: x\n\ndata: keeps the id\n\n",
	"id: 1\n\ndata: moved by an empty block\n\n",
	"id\ndata: resets\n\n",
	"id: a\x00b\ndata: NUL\n\n",
	": comment\n\n:\n\ndata: x\n\n",
	"event: e\n\ndata: no type\n\n",
	"retry: 10\ndata: x\n\nretry: 1a\ndata: y\n\n",
	"unknown: field\ndata: x\n\nDATA: y\n\n",
	"data: unfinished\n",
	"data: unfinished\nid: 9",
	"data: {\"a\":\ndata: 1}\n\n",
	"\n\n\r\r\n\ndata: ü€😀\n\n",
	"id: k3x9-1\nevent: sync_progress\ndata: {}\n\nid: k3x9-2\n\n",
}

func TestDecoderReadsAStreamHoweverItIsSplit(t *testing.T) {
	for _, stream := range streams {
		want := referenceMessages(stream)
		for cut := 1; cut <= len(stream); cut++ {
			for _, sizes := range [][]int{{cut}, {cut, len(stream)}, {1, cut}} {
				if got := decode(t, stream, sizes...); !reflect.DeepEqual(got, want) {
					t.Fatalf("%q in pieces of %v:\n got %v\nwant %v", stream, sizes, got, want)
				}
			}
		}
	}
}

func TestDecoderReadsLongLinesUpToItsLimit(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	if got := decode(t, "data: "+long+"\n\n", 7777); len(got) != 1 || !strings.Contains(got[0], long) {
		t.Fatal("a line of 1 MiB was lost")
	}
	for _, endless := range []string{strings.Repeat("x", 100), strings.Repeat("data: xxxxxxxxxx\n", 100)} {
		d := Decoder{MaxBlock: 64}
		var err error
		for i := 0; i < len(endless) && err == nil; i++ {
			err = d.Feed([]byte(endless[i:i+1]), func(Message) {})
		}
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("no end of %.10q", endless)
		}
	}
}

func TestLastEventIDIgnoresTheUnfinishedBlock(t *testing.T) {
	var d Decoder
	_ = d.Feed([]byte("id: 1\ndata: x\n\nid: 2\ndata: y\n"), func(Message) {})
	if d.LastEventID() != "1" {
		t.Error("an unfinished block moved the id to", d.LastEventID())
	}
}

// example returns an event whose texts try to break a frame.
func example() event.Event {
	e := event.Example(event.TypeRentalStatusUpdated).Stamp("a\r\n\x00 id: 7",
		time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC))
	e.Actor = "user:\n\nevent: bye"
	e.Source = "/\u2028\u2029\u0085"
	return e
}

var frames = []Frame{
	&Hello{Cursor{"k3x9", 5}, Cursor{"k3x9", 9}, Cursor{"k3x9", 1}, 15 * time.Second, 2 * time.Second, "c-1", "00ff"},
	&Event{Cursor{"k3x9", 6}, example()},
	&Gap{Cursor{"old", 4}, Cursor{"k3x9", 8}},
	&Heartbeat{Cursor{"k3x9", 9}},
	&Bye{ByeDrain, 1500 * time.Millisecond},
}

func TestFramesComeBackFromAnEventStream(t *testing.T) {
	var stream []byte
	for _, f := range frames {
		stream = AppendSSE(stream, f)
	}
	for size := 1; size < 40; size++ {
		var d Decoder
		var got []Frame
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			_ = d.Feed(rest[:n], func(m Message) {
				f, err := ParseMessage(m)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, f)
			})
			rest = rest[n:]
		}
		want := frames[1].(*Event).Event
		want.Cursor = "k3x9-6"
		if e := got[1].(*Event); string(e.Event.AppendJSON(nil)) != string(want.AppendJSON(nil)) {
			t.Fatalf("event: %+v", e)
		}
		for i := range frames {
			if i != 1 && !reflect.DeepEqual(got[i], frames[i]) {
				t.Fatalf("got %+v, want %+v", got[i], frames[i])
			}
		}
	}
}

func TestParseMessageRefusesBrokenFrames(t *testing.T) {
	for _, m := range []Message{
		{Type: "hello", Data: []byte("{"), LastEventID: "k-1"}, {Type: "gap", Data: []byte("[]")},
		{Type: "bye", Data: nil},
		{Type: "sync_progress", Data: []byte("7")}, {Type: "bye", Data: []byte("{}"), LastEventID: "no cursor"},
	} {
		if f, err := ParseMessage(m); err == nil {
			t.Errorf("%+v became %+v", m, f)
		}
	}
	if f, err := ParseMessage(Message{Type: "from_the_future", Data: []byte("{}")}); f != nil || err != nil {
		t.Errorf("unknown events are passed over, got %v %v", f, err)
	}
}

func TestParseCursorReadsOnlyWhatStringWrites(t *testing.T) {
	for _, s := range []string{"", "k3x9-184", "a-0", "z9-18446744073709551615"} {
		if c, err := ParseCursor(s); err != nil || c.String() != s {
			t.Errorf("%q: %v %v", s, c, err)
		}
	}
	for _, s := range []string{"184", "-1", "k-", "k-+1", "k-01", "k--1", "K-1", "k\n-1", "k-18446744073709551616",
		strings.Repeat("k", 33) + "-1"} {
		if c, err := ParseCursor(s); err == nil {
			t.Errorf("%q became %v", s, c)
		}
	}
}

// FuzzCursor checks that each cursor has one text only.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "k3x9-184", "k-01", "-1", "k-18446744073709551616"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseCursor(s); err == nil && c.String() != s {
			t.Fatalf("%q became %q", s, c)
		}
	})
}

// FuzzDecoder compares the decoder with referenceMessages, however the stream is split.
func FuzzDecoder(f *testing.F) {
	for _, s := range streams {
		f.Add(s, 3, 1)
	}
	f.Fuzz(func(t *testing.T, stream string, a, b int) {
		if strings.Contains(stream, "retry") {
			return // referenceMessages reads small numbers only
		}
		sizes := []int{1 + (a&0xff)%37, 1 + (b&0xff)%11}
		if got, want := decode(t, stream, sizes...), referenceMessages(stream); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q by %v:\n got %v\nwant %v", stream, sizes, got, want)
		}
	})
}

// FuzzFrame checks that no value of a publisher can break a frame.
func FuzzFrame(f *testing.F) {
	f.Add("id\r\n\r\nevent: bye\r\n", "user:\x00", "/s\n\n", "k\n: \u2028")
	f.Fuzz(func(t *testing.T, id, actor, source, notes string) {
		e, err := event.New(event.TypeRentalStatusUpdated, map[string]any{"rental_id": 1, "status": "active",
			"notes": notes})
		if err != nil {
			return
		}
		e.ID, e.Actor, e.Source = id, actor, source
		stream := AppendSSE(AppendSSE(nil, &Event{Cursor{"k", 1}, e}), &Heartbeat{Cursor{"k", 2}})
		messages := 0
		var d Decoder
		err = d.Feed(stream, func(m Message) {
			if messages++; messages == 1 && (m.Type != string(event.TypeRentalStatusUpdated) ||
				m.LastEventID != "k-1") {
				t.Fatalf("%q became %+v", stream, m)
			}
		})
		if err != nil || messages != 2 || d.LastEventID() != "k-2" {
			t.Fatalf("%q became %d messages, %v", stream, messages, err)
		}
	})
}
