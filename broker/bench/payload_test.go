package bench

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mark is what a marker has found.
type mark struct {
	number int
	sent   int64
}

// findParts looks for marks in a stream that arrives in parts of size bytes.
func findParts(m *marker, stream []byte, size int) (found []mark) {
	var rest []byte
	for len(stream) > 0 {
		n := min(size, len(stream))
		b := append(rest, stream[:n]...)
		stream = stream[n:]
		rest = append([]byte(nil), m.find(b, func(number int, sent int64) {
			found = append(found, mark{number, sent})
		})...)
	}
	return found
}

func TestMarksAreFoundWhereverTheStreamIsCut(t *testing.T) {
	m := newMarker(120)
	now := time.Unix(1_764_600_000, 123)
	stream := []byte("b:bench-\nid: 1\ndata: ")
	stream = m.append(stream, 7, now)
	stream = append(stream, "\n\nbe"...)
	stream = append(stream, m.prefix...)
	stream = m.append(stream, 12345, now.Add(time.Second))
	want := []mark{{7, now.UnixNano()}, {12345, now.Add(time.Second).UnixNano()}}
	for size := 1; size <= len(stream); size++ {
		found := findParts(m, stream, size)
		require.Contains(t, found, want[0], "parts of %d bytes", size)
		require.Equal(t, want[1], found[len(found)-1], "parts of %d bytes", size)
	}
}

func TestMarksOfOtherRunsAreIgnored(t *testing.T) {
	m, other := &marker{prefix: []byte("bench-00000001:")}, &marker{prefix: []byte("bench-00000002:")}
	require.Empty(t, findParts(m, other.append(nil, 1, time.Now()), 1000))
}

func TestPayloadsHaveTheirLengthAndNeedNoEscapes(t *testing.T) {
	for _, length := range []int{0, 50, 200, 16_000} {
		text := string(newMarker(length).append([]byte("before"), 1, time.Now()))[len("before"):]
		require.GreaterOrEqual(t, len(text), length)
		require.Less(t, len(text), max(length+1, 60))
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		require.Equal(t, `"`+text+`"`, string(quoted))
		_, err = url.Parse("http://example.org/" + url.PathEscape(text))
		require.NoError(t, err)
	}
}

func TestTemplateWritesEventsAndBatches(t *testing.T) {
	m := &marker{prefix: []byte("m:")}
	now := time.Unix(0, 5)
	one, err := parseTemplate(`{"n":{{seq}},"text":"{{payload}}"}`, false)
	require.NoError(t, err)
	require.Equal(t, `{"n":3,"text":"m:3:5:"}`, string(one.append(nil, m, 3, 1, now)))
	several, err := parseTemplate(`{{seq}}`, true)
	require.NoError(t, err)
	require.Equal(t, `[3,4,5]`, string(several.append(nil, m, 3, 3, now)))
	for _, text := range []string{"{{other}}", "{{payload"} {
		_, err := parseTemplate(text, false)
		require.ErrorContains(t, err, "only {{payload}} and {{seq}}")
	}
}
