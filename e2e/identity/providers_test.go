package identity

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// recordStates is JavaScript that adds every state that the tab shows to the array states, and counts in streams the
// streams that the tab opens.
const recordStates = `window.states = []; window.streams = 0;
	new MutationObserver(() => {
		const now = document.querySelector(".header [data-status]")?.dataset.status ?? "none";
		if (now !== states.at(-1)) states.push(now);
	}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["data-status"]});
	{
		const original = window.fetch;
		window.fetch = (resource, ...rest) => {
			if (String(resource?.url ?? resource).includes("/api/sse")) streams++;
			return original(resource, ...rest);
		};
	}`

// statesSinceLive is JavaScript that returns the states that a tab has shown since it was live for the first time.
const statesSinceLive = `states.slice(states.indexOf("live"))`

// storedKeys is JavaScript that returns the keys of the values that the app has stored in the browser.
const storedKeys = `new Promise(done => {
	const open = indexedDB.open("yardline");
	open.onsuccess = () => {
		const all = open.result.transaction("values").objectStore("values").getAllKeys();
		all.onsuccess = () => { open.result.close(); done(all.result) };
	};
})`

// setCookie puts a provider's token into its cookie. The attributes of the cookie begin with a semicolon or are "".
func setCookie(tab *browser.Tab, token, attributes string) {
	const set = `(() => { document.cookie = "id_token=%s; path=/%s"; return true })()`
	browser.Eval[bool](tab, fmt.Sprintf(set, token, attributes))
}

// openWithCookie opens the app at an address and waits until it is live. If the user is not signed in, openWithCookie
// puts the token into the cookie, with the attributes that [setCookie] expects, and signs the user in.
func openWithCookie(u *browser.User, address, token, attributes string) *browser.Tab {
	tab := u.NewTab()
	tab.OnNewDocument(recordStates)
	tab.Open(address)
	tab.Eventually(testkit.Soon, `document.querySelector("#sign-in-again, .header [data-status=live]")`)
	if browser.Eval[bool](tab, `document.getElementById("sign-in-again") !== null`) {
		setCookie(tab, token, attributes)
		tab.Click("#sign-in-again")
	}
	tab.Eventually(testkit.Soon, testkit.IsLive)
	return tab
}

// waitForKeyRequests waits until the broker has sent the provider this many further requests for keys. After the second
// one the broker has read the answer to the first one.
func waitForKeyRequests(t *testing.T, p *testkit.Provider, count int64) {
	t.Helper()
	before := p.Requests.Load()
	testkit.Eventually(
		t,
		testkit.Soon,
		"the broker asks for keys",
		func() bool { return p.Requests.Load() >= before+count },
	)
}

// While the provider answers something other than its keys, the app stays live, a new tab is live, too, and the browser
// keeps its stored data.
func TestBadKeySetsOfTheProviderEndNoSession(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	first := openWithCookie(u, s.URL+"/", p.Token, "")
	second := openWithCookie(u, s.URL+"/", p.Token, "")
	tabs := []*browser.Tab{first, second}
	s.Publish(`{"type":"rental_overdue","id":"before","data":{"rental_id":1,"days_overdue":1}}`)
	for _, tab := range tabs {
		testkit.Shows(tab, "before")
	}
	u.NewTab().Show() // hides the other tabs, because a tab stores its state when it is hidden
	var keysBefore []string
	testkit.Eventually(t, testkit.Soon, "the app has stored the session and the state", func() bool {
		keysBefore = browser.Eval[[]string](first, storedKeys)
		return len(keysBefore) >= 3
	})
	require.Subset(t, keysBefore, []string{"session", "state"})
	for name, answer := range map[string]http.HandlerFunc{
		"empty":   testkit.AnswerText(`{"keys":[]}`),
		"nothing": testkit.AnswerText(`{}`),
		"unknown": testkit.AnswerText(`{"keys":[{"kty":"ZZZ","kid":"z"}]}`),
		"fails":   testkit.AnswerStatus(http.StatusInternalServerError),
		"page":    testkit.AnswerText("<html>welcome</html>"),
	} {
		p.AnswerWith(answer)
		waitForKeyRequests(t, p, 2)
		id := "under-" + name
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":2,"days_overdue":1}}`, id))
		for _, tab := range tabs {
			testkit.Shows(tab, id)
			require.Equal(t, []string{"live"}, browser.Eval[[]string](tab, statesSinceLive), name)
			require.Subset(t, browser.Eval[[]string](tab, storedKeys), keysBefore, name)
		}
		p.AnswerWith(nil)
	}
	p.AnswerWith(testkit.AnswerText(`{"keys":[]}`))
	waitForKeyRequests(t, p, 2)
	openWithCookie(u, s.URL+"/", p.Token, "").Eventually(testkit.Soon, `document.querySelector("[data-event=before]")`)
	openWithCookie(browser.NewUser(t), s.URL+"/", p.Token, "")
}

// shortToken is how long a token lasts whose end a test waits for. Two tabs open meanwhile, which takes several seconds
// on a busy machine.
const shortToken = 30 * time.Second

// When the provider renews its cookie in time, the user does not notice the end of the earlier token: every tab stays
// live and receives all events, and the browser keeps its stored data.
func TestRenewedProviderCookieKeepsTheAppLive(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	firstTokenEnd := time.Now().Add(shortToken)
	first := openWithCookie(u, s.URL+"/", p.Sign(t, time.Until(firstTokenEnd)), "")
	second := openWithCookie(u, s.URL+"/", "", "")
	tabs := []*browser.Tab{first, second}
	countStreams := func() (n int) {
		for _, tab := range tabs {
			n += browser.Eval[int](tab, `streams`)
		}
		return n
	}
	opened := countStreams()
	require.Positive(t, opened)
	keysBefore := browser.Eval[[]string](first, storedKeys)
	require.Contains(t, keysBefore, "session")
	setCookie(first, p.Token, "")
	var ids []string
	publish := func() {
		id := fmt.Sprintf("e%d", len(ids))
		ids = append(ids, id)
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":1,"days_overdue":1}}`, id))
	}
	require.Less(t, time.Now(), firstTokenEnd, "the first token ended before the test began")
	publish()
	testkit.Eventually(
		t,
		2*testkit.Soon,
		"the stream has ended with its token",
		func() bool { return countStreams() > opened },
	)
	publish()
	for _, tab := range tabs {
		for _, id := range ids {
			testkit.Shows(tab, id)
		}
		require.Equal(t, []string{"live"}, browser.Eval[[]string](tab, statesSinceLive))
		require.Subset(t, browser.Eval[[]string](tab, storedKeys), keysBefore)
		require.Empty(t, tab.Attributes(".banner-denied", "class"))
	}
	require.Greater(t, time.Now(), firstTokenEnd)
}

// When a token expires without a new one, the app shows "Signed out" and deletes nothing. When the provider sets a new
// cookie, every tab connects by itself and receives the events that it missed.
func TestExpiredProviderCookieDeletesNothing(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	first := openWithCookie(u, s.URL+"/", p.Sign(t, shortToken), "")
	second := openWithCookie(u, s.URL+"/", "", "")
	tabs := []*browser.Tab{first, second}
	keysBefore := browser.Eval[[]string](first, storedKeys)
	require.Contains(t, keysBefore, "session")
	for _, tab := range tabs {
		tab.Eventually(2*testkit.Soon, `document.querySelector(".header [data-status=denied]")`)
		statusText := browser.Eval[string](tab, `document.querySelector(".header .status-words").innerText`)
		require.Contains(t, statusText, "Signed out")
		require.Subset(t, browser.Eval[[]string](tab, storedKeys), keysBefore)
	}
	s.Publish(`{"type":"rental_overdue","id":"meanwhile","data":{"rental_id":1,"days_overdue":1}}`)
	setCookie(first, p.Token, "")
	for _, tab := range tabs {
		tab.Show() // A hidden tab does not ask the broker again.
		tab.Eventually(testkit.Soon, testkit.IsLive)
		testkit.Shows(tab, "meanwhile")
	}
}

// While the broker has no keys of the provider, the app signs out no user and deletes nothing. It is live as soon as
// the broker has the keys.
func TestAppWaitsForTheProvidersKeys(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	tab := openWithCookie(u, s.URL+"/", p.Token, "")
	keysBefore := browser.Eval[[]string](tab, storedKeys)
	require.Contains(t, keysBefore, "session")
	s.Kill()
	p.AnswerWith(testkit.AnswerStatus(http.StatusInternalServerError))
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	s.Up()
	newTab := u.NewTab()
	newTab.OnNewDocument(recordStates)
	newTab.Open(s.URL + "/")
	newTab.Eventually(testkit.Soon, `document.querySelector(".header [data-status]")`)
	waitForKeyRequests(t, p, 1)
	require.Subset(t, browser.Eval[[]string](tab, storedKeys), keysBefore)
	p.AnswerWith(nil)
	for _, tab := range []*browser.Tab{newTab, tab} {
		tab.Eventually(testkit.Soon, testkit.IsLive)
		require.NotContains(t, browser.Eval[[]string](tab, `states`), "denied")
		require.Subset(t, browser.Eval[[]string](tab, storedKeys), keysBefore)
	}
}

// When another user signs in at the provider and opens the app, all its tabs show that user.
func TestNextUserOfTheProviderOwnsAllTabs(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	first := openWithCookie(u, s.URL+"/", p.Token, "")
	const shownName = `document.querySelector(".user-name")?.innerText`
	require.Equal(t, "User 4", browser.Eval[string](first, shownName))
	setCookie(first, p.SignFor(t, "5", time.Hour), "")
	openWithCookie(u, s.URL+"/", "", "").Eventually(testkit.Soon, shownName+` === "User 5"`)
	first.Eventually(testkit.Soon, shownName+` === "User 5"`)
	first.Eventually(testkit.Soon, testkit.IsLive)
}

// When a sign-out cannot remove the provider's cookie, every tab warns that the user is still signed in. The sign-out
// works when the broker knows the domain of the cookie.
func TestSignOutReportsACookieThatStays(t *testing.T) {
	t.Parallel()
	const domain = "; domain=company.test"
	warning := `(document.querySelector(".sign-in .banner-denied")?.innerText ?? "")`
	// signOut opens the app in two tabs with a cookie of the whole domain, and signs out in the first one.
	signOut := func(t *testing.T, flags ...string) (first, second *browser.Tab) {
		p := testkit.NewProvider(t)
		s, u := p.StartBroker(t, flags...), browser.NewUser(t)
		address := "http://yard.company.test:" + s.Port + "/"
		first = openWithCookie(u, address, p.Token, domain)
		second = openWithCookie(u, address, p.Token, domain)
		first.Show()
		first.Click("#sign-out")
		return first, second
	}
	t.Run("unknown domain", func(t *testing.T) {
		first, second := signOut(t)
		for _, tab := range []*browser.Tab{first, second} {
			tab.Eventually(testkit.Soon, warning+`.includes("(still_signed_in)")`)
			require.Contains(t, browser.Eval[string](tab, warning), "You are still signed in")
			button := browser.Eval[string](tab, `document.getElementById("sign-in-again").innerText`)
			require.Equal(t, "Stay signed in", button)
			after := browser.Eval[[]string](tab, statesSinceLive)[1:]
			require.NotContains(t, after, "live", "the app signs in no user again by itself")
		}
		require.NotContains(t, browser.Eval[[]string](first, storedKeys), "state")
		first.Click("#sign-in-again")
		first.Eventually(testkit.Soon, testkit.IsLive)
		require.Empty(t, browser.Eval[string](first, warning))
	})
	t.Run("known domain", func(t *testing.T) {
		first, second := signOut(t, "--jwt-cookie-domain", "company.test")
		for _, tab := range []*browser.Tab{first, second} {
			tab.Eventually(testkit.Soon, `document.getElementById("sign-in-again")?.innerText === "Try again"`)
			require.Empty(t, browser.Eval[string](tab, warning))
		}
		require.NotContains(t, browser.Eval[string](first, `document.cookie`), "id_token")
	})
}

// On an address where the browser drops the cookie of the session, the sign-in page warns the user before and after the
// user signs in. On a loopback address, the sign-in works.
func TestSignInPageExplainsPlainHTTP(t *testing.T) {
	t.Parallel()
	s := stack.New(t, "--auth", "users")
	s.Run("long enough a password\n", "user", "add", "ann", "--roles", "manager")
	s.Up()
	submitPassword := func(tab *browser.Tab) {
		browser.Eval[bool](tab, `(() => {
			document.getElementById("sign-in-user").value = "ann";
			document.getElementById("sign-in-password").value = "long enough a password";
			window.same = true;
			document.querySelector("form").requestSubmit();
			return true;
		})()`)
	}
	const needsTLS = `document.querySelector(".sign-in .banner-denied")?.innerText.includes("(needs_tls)")`
	tab := browser.NewUser(t).NewTab()
	tab.OnNewDocument(recordStates)
	tab.Open("http://yard.lan.test:" + s.Port + "/")
	tab.Eventually(testkit.Soon, `document.getElementById("sign-in-password")`)
	tab.Eventually(testkit.Soon, needsTLS)
	tab.ForgetProblems()
	submitPassword(tab)
	testkit.Eventually(t, testkit.Soon, "the broker's answer", func() bool {
		for _, p := range tab.Problems() {
			if p.Kind == "http" && p.Text == "403" {
				return true
			}
		}
		return false
	})
	tab.Eventually(testkit.Soon, needsTLS)
	require.NotContains(t, browser.Eval[[]string](tab, `states`), "live")
	require.True(t, browser.Eval[bool](tab, `window.same && location.search === ""`))
	for _, host := range []string{"localhost", "127.0.0.1"} {
		tab := browser.NewUser(t).NewTab()
		tab.Open("http://" + host + ":" + s.Port + "/")
		tab.Eventually(testkit.Soon, `document.getElementById("sign-in-password")`)
		require.Empty(t, tab.Attributes(".sign-in .banner-denied", "class"), host)
		submitPassword(tab)
		tab.Eventually(testkit.Soon, testkit.IsLive)
	}
}
