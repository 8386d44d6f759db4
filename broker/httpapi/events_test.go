package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
)

func TestHistoryPagesBothWaysAndWaits(t *testing.T) {
	s := newTestBroker(t)
	service, manager := s.bearer(access.Service), s.bearer(access.Manager)
	for _, id := range []string{"a", "b", "c"} {
		s.send("POST", "/api/sse", `{"type":"system_notification","id":"`+id+`","data":{"message":"m"}}`, service,
			isJSON)
	}
	var page struct {
		Events         []struct{ ID, Cursor string }
		Previous, Next string
		Head           string
	}
	get := func(query string) {
		t.Helper()
		r, text := s.send("GET", "/api/events?"+query, "", manager)
		require.Equal(t, 200, r.StatusCode, text)
		require.NoError(t, json.Unmarshal([]byte(text), &page))
	}
	get("limit=2")
	require.Len(t, page.Events, 2)
	require.Equal(t, "b", page.Events[0].ID)
	require.Equal(t, "k-3", page.Head)
	get("limit=2&before=" + page.Previous)
	require.Len(t, page.Events, 1)
	require.Equal(t, "k-1", page.Events[0].Cursor)
	get("after=oldest&limit=1&types=system_notification")
	require.Equal(t, "a", page.Events[0].ID)
	get("wait=1&after=" + page.Next)
	require.Len(t, page.Events, 2)
	get("wait=1&after=" + page.Next)
	require.Empty(t, page.Events)
}
