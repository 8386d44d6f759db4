package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// schemas compiles what a broker serves, with a library that shares nothing
// with ours.
func schemas(t *testing.T, s *stack.Stack) func(path, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	known := map[string]bool{}
	return func(path, pointer string) *jsonschema.Schema {
		t.Helper()
		if !known[path] {
			answer, err := http.Get(s.URL + path)
			require.NoError(t, err)
			defer answer.Body.Close()
			require.Equal(t, 200, answer.StatusCode)
			doc, err := jsonschema.UnmarshalJSON(answer.Body)
			require.NoError(t, err)
			require.NoError(t, c.AddResource("http://broker"+path, doc))
			known[path] = true
		}
		compiled, err := c.Compile("http://broker" + path + pointer)
		require.NoError(t, err)
		return compiled
	}
}

func validate(t *testing.T, schema *jsonschema.Schema, raw []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err, "%s", raw)
	require.NoError(t, schema.Validate(value), "%s", raw)
}

// The broker accepts each example of its schemas, and every frame of a stream and every line of a WebSocket matches its
// schema.
func TestMessagesMatchTheServedSchemas(t *testing.T) {
	s := stack.Start(t)
	schema := schemas(t, s)
	var last wire.Cursor
	for _, typ := range event.Types {
		raw, err := json.Marshal(map[string]any{"type": typ, "data": event.Example(typ).Data})
		require.NoError(t, err)
		validate(t, schema("/api/schema/"+string(typ), ""), raw)
		last = s.Publish(string(raw)).Cursor
	}
	for _, raw := range mixed(60) {
		var e struct{ Type event.Type }
		require.NoError(t, json.Unmarshal(raw, &e))
		validate(t, schema("/api/schema/"+string(e.Type), ""), raw)
		last = s.Publish(string(raw)).Cursor
	}
	last = s.Publish(`{"type":"system_notification","data":{"message":"for all"}}`).Cursor
	component := map[string]string{"hello": "Hello", "gap": "Gap", "bye": "Bye"}
	frames := 0
	for name, who := range readers {
		token := s.Run(
			"",
			"token",
			"--user",
			who.user,
			"--roles",
			joined(who.roles),
			"--employee",
			fmt.Sprint(who.employee),
		)
		answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=old-7", token) // begins with a gap
		testkit.ReadMessages(
			t,
			answer.Body,
			func(m wire.Message) bool { return m.Type == "gap" },
			func(m wire.Message) {
				validate(t, schema("/api/asyncapi.json", "#/components/schemas/"+component[m.Type]), m.Data)
			},
		)
		require.NoError(t, answer.Body.Close())
		answer = testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", token)
		testkit.ReadMessages(
			t,
			answer.Body,
			func(m wire.Message) bool { return m.LastEventID == last.String() },
			func(m wire.Message) {
				frames++
				switch {
				case m.Empty:
				case component[m.Type] != "":
					validate(t, schema("/api/asyncapi.json", "#/components/schemas/"+component[m.Type]), m.Data)
				default:
					validate(t, schema("/api/schema/"+m.Type+"?for=read", ""), m.Data)
					// The same over a WebSocket is a line that AsyncAPI describes.
					f, err := wire.ParseMessage(m)
					require.NoError(t, err)
					validate(
						t,
						schema("/api/asyncapi.json", "#/components/messages/LineRead"+camel(m.Type)+"/payload"),
						wire.AppendJSON(nil, f),
					)
				}
			},
		)
		require.NoError(t, answer.Body.Close())
		require.NotZero(t, frames, name)
	}
	t.Logf("%d frames of %d readers", frames, len(readers))
}

func joined(roles []access.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}

func camel(name string) (text string) {
	for word := range strings.SplitSeq(name, "_") {
		text += strings.ToUpper(word[:1]) + word[1:]
	}
	return text
}
