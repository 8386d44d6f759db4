package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/push/pushtest"
	"github.com/snd-rental/yardline/shared/access"
)

// A signed-in person adds a device and tests it. The sign-out removes the device. A
// program cannot have one.
func TestDevicesAreAddedTestedAndForgottenAtSignOut(t *testing.T) {
	s, d := newTestBroker(t), pushtest.New(t)
	subscription, err := json.Marshal(map[string]any{
		"endpoint": d.Subscription().Endpoint,
		"keys":     d.Subscription().Keys,
		"name":     "Phone",
	})
	require.NoError(t, err)
	status := func(want int, method, path, body string, headers ...string) string {
		t.Helper()
		answer, text := s.send(method, path, body, append(headers, isJSON)...)
		require.Equal(t, want, answer.StatusCode, text)
		return text
	}
	for _, path := range []string{"/api/push/key", "/api/push/subscriptions", "/api/push/preferences"} {
		status(401, "GET", path, "")
	}
	require.Contains(t, status(403, "POST", "/api/push/subscriptions", string(subscription), s.bearer(access.Manager)),
		`"forbidden"`)
	status(200, "POST", "/api/session", `{"user":"manager"}`)
	var device struct{ ID string }
	require.NoError(t,
		json.Unmarshal([]byte(status(201, "POST", "/api/push/subscriptions", string(subscription))), &device))
	listed := status(200, "GET", "/api/push/subscriptions", "")
	require.Contains(t, listed, `"Phone"`)
	require.NotContains(t, listed, "http", "the endpoint is a secret of the device")
	status(204, "POST", "/api/push/subscriptions/"+device.ID+"/test", "")
	require.Equal(t, 1, d.Attempts())
	status(404, "POST", "/api/push/subscriptions/other/test", "")
	d.SetAnswer(403)
	refused := status(502, "POST", "/api/push/subscriptions/"+device.ID+"/test", "")
	require.Contains(t, refused, `"push_refused"`)
	require.Contains(t, refused, "403")
	require.Contains(t, refused, "administrator")
	require.Regexp(t, `"failing":\{"since":"[^"]+","status":403\}`, status(200, "GET", "/api/push/subscriptions", ""))
	replacement, err := json.Marshal(map[string]any{
		"endpoint": d.Subscription().Endpoint + "2",
		"keys":     d.Subscription().Keys,
		"replaces": device.ID,
	})
	require.NoError(t, err)
	replaced := status(201, "POST", "/api/push/subscriptions", string(replacement))
	require.NoError(t, json.Unmarshal([]byte(replaced), &device))
	listed = status(200, "GET", "/api/push/subscriptions", "")
	require.Contains(t, listed, `"Phone"`)
	require.Equal(t, 1, strings.Count(listed, `"id"`), listed)
	require.NotContains(t, listed, "failing")
	require.Contains(t, status(422, "POST", "/api/push/subscriptions", `{"endpoint":"https://10.0.0.1/"}`), "/endpoint")
	require.Contains(t, status(422, "POST", "/api/push/subscriptions", `{"x":1}`), `"invalid_body"`)
	require.Contains(t, status(200, "PUT", "/api/push/preferences",
		`{"muted":["sync_progress"],"push":[],"quiet":{"from":"22:00","to":"06:00","zone":"Europe/Berlin"}}`), "22:00")
	require.Contains(t, status(200, "GET", "/api/push/preferences", ""), "Europe/Berlin")
	require.Contains(t, status(422, "PUT", "/api/push/preferences", `{"muted":[],"push":["x"]}`), "/push")
	status(204, "DELETE", "/api/session", "")
	status(200, "POST", "/api/session", `{"user":"manager"}`)
	require.Contains(t, status(200, "GET", "/api/push/subscriptions", ""), `"devices":[]`)
	status(404, "DELETE", "/api/push/subscriptions/"+device.ID, "")
}
