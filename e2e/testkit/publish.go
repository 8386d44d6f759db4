package testkit

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
)

// Send sends a request and returns the status and the body of the answer. A header is written as "Name: value".
func Send(t *testing.T, base, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(Context(t), method, base+path, strings.NewReader(body))
	require.NoError(t, err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(raw)
}

// NumberedIDs returns the ids of the events that PublishNumbered publishes.
func NumberedIDs(from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprint("n", i))
	}
	return ids
}

// PublishNumbered publishes the events with the ids n<from> to n<to-1>, one after the other.
func PublishNumbered(s *stack.Stack, from, to int) {
	for i := from; i < to; i++ {
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":"n%d","data":{"rental_id":%d,"days_overdue":1}}`, i, i+1))
	}
}
