package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

func unlimited(_ string, c *Config) { c.Limits = Limits{PublishRate: 1e9} }

// FuzzPublish sends any body to POST /api/sse. The broker must store it so that readers
// can read it, or refuse it with a problem document and store nothing.
func FuzzPublish(f *testing.F) {
	for _, t := range event.Types {
		f.Add(event.Example(t).AppendJSON(nil), "application/json", "", "", "")
	}
	f.Add([]byte(`[{"type":"sync_progress","data":{"progress":1}}]`), "application/cloudevents-batch+json", "", "true",
		"")
	f.Add([]byte(`{"progress":1}`), "application/json", "sync_progress", "", "")
	f.Add([]byte(`{"type":"sync_progress","data":{"progress":1}}`), "application/cloudevents+json; charset=utf-8", "",
		"", "key")
	log := memlog.New("k", time.Hour)
	api, _, tokens := runAPI(f, log, unlimited)
	token, err := tokens.Create(access.Grant{User: "erp", Roles: []access.Role{access.Service}}, time.Hour)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body []byte, media, binaryType, strict, key string) {
		r := httptest.NewRequest("POST", "http://localhost/api/sse", bytes.NewReader(body))
		r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {media}, "Idempotency-Key": {key}}
		if strict != "" {
			r.URL.RawQuery = "strict=" + strict
		}
		if binaryType != "" {
			r.Header.Set("Ce-Specversion", "1.0")
			r.Header.Set("Ce-Type", binaryType)
		}
		before, err := log.Bounds(t.Context())
		require.NoError(t, err)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		after, err := log.Bounds(t.Context())
		require.NoError(t, err)
		switch w.Code {
		case 201:
			require.Greater(t, after.Last, before.Last)
			read := httptest.NewRecorder()
			admin, err := tokens.Create(access.Grant{User: "5", Roles: []access.Role{access.Manager, access.HR,
				access.Admin, access.Dispatcher, access.Yard}}, time.Hour)
			require.NoError(t, err)
			r := httptest.NewRequest("GET",
				"http://localhost/api/events?after="+wire.Cursor{Epoch: "k", Seq: before.Last}.String(), nil)
			r.Header.Set("Authorization", "Bearer "+admin)
			api.ServeHTTP(read, r)
			require.Equal(t, 200, read.Code, read.Body)
			require.True(t, json.Valid(read.Body.Bytes()), "%s", read.Body)
		case 200:
			require.Equal(t, before, after)
		default:
			require.Equal(t, before, after, "a refusal stores nothing: %s", w.Body)
			require.Less(t, w.Code, 500, "%s", w.Body)
			var p Problem
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p), "%s", w.Body)
			require.NotEmpty(t, p.Code)
		}
	})
}

// FuzzSocket sends any message on a WebSocket. The broker must answer the next call, or
// close the WebSocket with a code of RFC 6455.
func FuzzSocket(f *testing.F) {
	for _, seed := range []string{`{"call":"ping","ref":"x"}`,
		`{"call":"filter","filter":"types=sync_progress&subjects=rental/*"}`, `{"call":"auth","token":"x"}`,
		`{"call":"publish","event":{"type":"sync_progress","data":{"progress":1}}}`, "{}", "\xff", ""} {
		f.Add([]byte(seed), true)
	}
	f.Add([]byte{0}, false)
	log := memlog.New("k", time.Hour)
	api, _, tokens := runAPI(f, log, unlimited)
	server := httptest.NewServer(api)
	f.Cleanup(server.Close)
	token, err := tokens.Create(access.Grant{User: "5", Roles: []access.Role{access.Admin}}, time.Hour)
	require.NoError(f, err)
	client := &http.Client{Transport: &http.Transport{}}
	f.Cleanup(client.CloseIdleConnections)
	f.Fuzz(func(t *testing.T, message []byte, text bool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, _, err := websocket.Dial(ctx, server.URL+"/api/ws", &websocket.DialOptions{HTTPClient: client,
			Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
		require.NoError(t, err)
		defer c.CloseNow()
		kind := websocket.MessageText
		if !text {
			kind = websocket.MessageBinary
		}
		require.NoError(t, c.Write(ctx, kind, message))
		// This write fails if the broker has closed the WebSocket.
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"call":"ping","ref":"last"}`))
		for {
			_, raw, err := c.Read(ctx)
			if err != nil {
				code := websocket.CloseStatus(err)
				require.Contains(t, []websocket.StatusCode{websocket.StatusUnsupportedData,
					websocket.StatusInvalidFramePayloadData, websocket.StatusMessageTooBig}, code, "%v", err)
				return
			}
			for line := range bytes.Lines(raw) {
				f, err := wire.ParseJSON(line)
				require.NoError(t, err, "%s", line)
				if r, ok := f.(*wire.Reply); ok && r.Ref == "last" && strings.Contains(string(line), `"pong"`) {
					return
				}
			}
		}
	})
}
