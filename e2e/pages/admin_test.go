package pages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// publishWithShownToken is JavaScript that publishes an event with the token that the admin page shows, and returns the
// status of the answer.
const publishWithShownToken = `fetch("/api/sse", {
	method: "POST",
	credentials: "omit",
	headers: {
		"Content-Type": "application/json",
		Authorization: "Bearer " + document.getElementById("token").innerText,
	},
	body: '{"type":"system_notification","id":"by-token","data":{"message":"m"}}',
}).then(r => r.status)`

// An administrator closes a connection and creates a token.
func TestAdminClosesConnectionsAndCreatesTokens(t *testing.T) {
	s := stack.Start(t)
	dispatcher := testkit.Open(s, browser.NewUser(t), "dispatcher", "/")
	admin := testkit.Open(s, browser.NewUser(t), "admin", "/admin")
	const dispatcherRow = `[...document.querySelectorAll("tr[data-connection]")]
		.find(e => e.innerText.includes("dispatcher"))`
	admin.Eventually(testkit.Soon, dispatcherRow)
	browser.Eval[bool](admin, `(() => { (`+dispatcherRow+`).querySelector("button").click(); return true })()`)
	dispatcher.Eventually(testkit.Soon, `document.querySelector(".header [data-status=disconnected]") &&
		document.querySelector(".banner-disconnected")`)
	admin.Eventually(testkit.Soon, `!(`+dispatcherRow+`)`)
	dispatcher.Click(".banner-disconnected button")
	dispatcher.Eventually(testkit.Soon, testkit.IsLive)

	admin.Show()
	browser.Eval[bool](admin, `(() => { document.getElementById("token-user").focus(); return true })()`)
	admin.Type("erp\r")
	admin.Eventually(testkit.Soon, `document.getElementById("token")`)
	require.Equal(t, 201, browser.Eval[int](admin, publishWithShownToken))
	testkit.Shows(dispatcher, "by-token")
	require.Empty(t, append(admin.Problems(), dispatcher.Problems()...))
}
