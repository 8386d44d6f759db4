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

// A schemaCompiler returns the compiled schema at a JSON pointer in the document at a path of a broker.
type schemaCompiler func(path, pointer string) *jsonschema.Schema

// newSchemaCompiler returns a schemaCompiler for a broker. It uses a library that shares no code with the broker.
func newSchemaCompiler(t *testing.T, s *stack.Stack) schemaCompiler {
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

// requireValid checks a document against a schema.
func requireValid(t *testing.T, schema *jsonschema.Schema, raw []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err, "%s", raw)
	require.NoError(t, schema.Validate(value), "%s", raw)
}

// The broker accepts each example of its schemas, and every frame of a stream and every line of a WebSocket matches its
// schema.
func TestMessagesMatchTheServedSchemas(t *testing.T) {
	s := stack.Start(t)
	schema := newSchemaCompiler(t, s)
	for _, typ := range event.Types {
		raw, err := json.Marshal(map[string]any{"type": typ, "data": event.Example(typ).Data})
		require.NoError(t, err)
		requireValid(t, schema("/api/schema/"+string(typ), ""), raw)
		s.Publish(string(raw))
	}
	for _, raw := range mixedEvents(60) {
		var e struct{ Type event.Type }
		require.NoError(t, json.Unmarshal(raw, &e))
		requireValid(t, schema("/api/schema/"+string(e.Type), ""), raw)
		s.Publish(string(raw))
	}
	last := s.Publish(`{"type":"system_notification","data":{"message":"for all"}}`).Cursor
	frames := 0
	for name, user := range testUsers {
		token := s.Run("", "token", "--user", user.user, "--roles", joinRoles(user.roles),
			"--employee", fmt.Sprint(user.employee))
		// The stream after an unknown cursor begins with a gap.
		answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=old-7", token)
		testkit.ReadMessages(
			t,
			answer.Body,
			func(m wire.Message) bool { return m.Type == "gap" },
			func(m wire.Message) { requireValid(t, schema(asyncAPI, componentPointer(m.Type)), m.Data) },
		)
		require.NoError(t, answer.Body.Close())
		answer = testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", token)
		testkit.ReadMessages(
			t,
			answer.Body,
			func(m wire.Message) bool { return m.LastEventID == last.String() },
			func(m wire.Message) {
				frames++
				requireValidMessage(t, schema, m)
			},
		)
		require.NoError(t, answer.Body.Close())
		require.NotZero(t, frames, name)
	}
	t.Logf("%d frames of %d users", frames, len(testUsers))
}

// asyncAPI is the path of the broker's AsyncAPI document.
const asyncAPI = "/api/asyncapi.json"

// components are the names of the schemas of control messages in the AsyncAPI document, by the type of the message.
var components = map[string]string{"hello": "Hello", "gap": "Gap", "bye": "Bye"}

// componentPointer returns the JSON pointer of the schema of a control message in the AsyncAPI document.
func componentPointer(messageType string) string {
	return "#/components/schemas/" + components[messageType]
}

// requireValidMessage checks a message of a stream against its schema, and the same message as a line of a WebSocket
// against the AsyncAPI document.
func requireValidMessage(t *testing.T, schema schemaCompiler, m wire.Message) {
	t.Helper()
	switch {
	case m.Empty:
	case components[m.Type] != "":
		requireValid(t, schema(asyncAPI, componentPointer(m.Type)), m.Data)
	default:
		requireValid(t, schema("/api/schema/"+m.Type+"?for=read", ""), m.Data)
		f, err := wire.ParseMessage(m)
		require.NoError(t, err)
		line := schema(asyncAPI, "#/components/messages/LineRead"+camelCase(m.Type)+"/payload")
		requireValid(t, line, wire.AppendJSON(nil, f))
	}
}

// joinRoles returns roles as text, as the command line expects them.
func joinRoles(roles []access.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}

// camelCase returns a name such as rental_overdue as RentalOverdue.
func camelCase(name string) (text string) {
	for word := range strings.SplitSeq(name, "_") {
		text += strings.ToUpper(word[:1]) + word[1:]
	}
	return text
}
