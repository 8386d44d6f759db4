package pages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// An administrator closes a connection and creates a token.
func TestAdminClosesConnectionsAndCreatesTokens(t *testing.T) {
	s := stack.Start(t)
	victim := testkit.Open(s, browser.NewUser(t), "dispatcher", "/")
	admin := testkit.Open(s, browser.NewUser(t), "admin", "/admin")
	const row = `[...document.querySelectorAll("tr[data-connection]")].find(e => e.innerText.includes("dispatcher"))`
	admin.Eventually(testkit.Soon, row)
	browser.Eval[bool](admin, `(() => { (`+row+`).querySelector("button").click(); return true })()`)
	victim.Eventually(
		testkit.Soon,
		`document.querySelector(".header [data-status=disconnected]") && document.querySelector(".banner-disconnected")`,
	)
	admin.Eventually(testkit.Soon, `!(`+row+`)`)
	victim.Click(".banner-disconnected button")
	victim.Eventually(testkit.Soon, testkit.IsLive)

	admin.Show()
	browser.Eval[bool](admin, `(() => { document.getElementById("token-user").focus(); return true })()`)
	admin.Type("erp\r")
	admin.Eventually(testkit.Soon, `document.getElementById("token")`)
	require.Equal(
		t,
		201,
		browser.Eval[int](
			admin,
			`fetch("/api/sse", {method: "POST", credentials: "omit", headers: {"Content-Type": "application/json", Authorization: "Bearer " + document.getElementById("token").innerText},
		body: '{"type":"system_notification","id":"by-token","data":{"message":"m"}}'}).then(r => r.status)`,
		),
	)
	testkit.Shows(victim, "by-token")
	require.Empty(t, append(admin.Problems(), victim.Problems()...))
}
