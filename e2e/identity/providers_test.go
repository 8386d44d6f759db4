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

// watchStates notes every state that a tab shows, and counts the streams that it opens.
const watchStates = `window.states = []; window.streams = 0;
	new MutationObserver(() => {
		const now = document.querySelector(".header [data-status]")?.dataset.status ?? "none";
		if (now !== states.at(-1)) states.push(now);
	}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["data-status"]});
	{ const own = window.fetch; window.fetch = (what, ...rest) => {
		if (String(what?.url ?? what).includes("/api/sse")) streams++;
		return own(what, ...rest);
	} }`

// sinceLive are the states that a tab has shown since it was live for the first time.
const sinceLive = `states.slice(states.indexOf("live"))`

// valueKeys are the names of what the browser keeps of the user.
const valueKeys = `new Promise(done => { const open = indexedDB.open("yardline"); open.onsuccess = () => {
	const all = open.result.transaction("values").objectStore("values").getAllKeys();
	all.onsuccess = () => { open.result.close(); done(all.result) } } })`

// setCookie puts a provider's token into its cookie.
func setCookie(tab *browser.Tab, token, attributes string) {
	const set = `(() => { document.cookie = "id_token=%s; path=/%s"; return true })()`
	browser.Eval[bool](tab, fmt.Sprintf(set, token, attributes))
}

// openByProvider opens the app at an address for a user who comes with a token in the cookie.
func openByProvider(u *browser.User, address, token, attributes string) *browser.Tab {
	tab := u.NewTab()
	tab.OnNewDocument(watchStates)
	tab.Open(address)
	tab.Eventually(testkit.Soon, `document.querySelector("#sign-in-again, .header [data-status=live]")`)
	if browser.Eval[bool](tab, `document.getElementById("sign-in-again") !== null`) {
		setCookie(tab, token, attributes)
		tab.Click("#sign-in-again")
	}
	tab.Eventually(testkit.Soon, testkit.IsLive)
	return tab
}

// While the provider answers something other than its keys, the app stays live, a new tab is live, too, and the browser
// keeps its stored data.
func TestBadKeySetsOfTheProviderEndNoSession(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	first := openByProvider(u, s.URL+"/", p.Token, "")
	second := openByProvider(u, s.URL+"/", p.Token, "")
	tabs := []*browser.Tab{first, second}
	s.Publish(`{"type":"rental_overdue","id":"before","data":{"rental_id":1,"days_overdue":1}}`)
	for _, tab := range tabs {
		testkit.Shows(tab, "before")
	}
	u.NewTab().Show() // what is hidden keeps its state
	var before []string
	testkit.Eventually(t, testkit.Soon, "the session and the state are on the disk", func() bool {
		before = browser.Eval[[]string](first, valueKeys)
		return len(before) >= 3
	})
	require.Subset(t, before, []string{"session", "state"})
	for name, answer := range map[string]http.HandlerFunc{
		"empty": testkit.AnswerText(`{"keys":[]}`), "nothing": testkit.AnswerText(`{}`), "unknown": testkit.AnswerText(`{"keys":[{"kty":"ZZZ","kid":"z"}]}`),
		"fails": testkit.AnswerStatus(http.StatusInternalServerError), "page": testkit.AnswerText("<html>welcome</html>"),
	} {
		p.AnswerWith(answer)
		asked := p.Requests.Load()
		testkit.Eventually(
			t,
			testkit.Soon,
			"the broker has read it",
			func() bool { return p.Requests.Load() > asked+1 },
		)
		id := "under-" + name
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":2,"days_overdue":1}}`, id))
		for _, tab := range tabs {
			testkit.Shows(tab, id)
			require.Equal(t, []string{"live"}, browser.Eval[[]string](tab, sinceLive), name)
			require.Subset(t, browser.Eval[[]string](tab, valueKeys), before, name)
		}
		p.AnswerWith(nil)
	}
	p.AnswerWith(testkit.AnswerText(`{"keys":[]}`))
	asked := p.Requests.Load()
	testkit.Eventually(t, testkit.Soon, "the broker has read it", func() bool { return p.Requests.Load() > asked+1 })
	openByProvider(u, s.URL+"/", p.Token, "").Eventually(testkit.Soon, `document.querySelector("[data-event=before]")`)
	openByProvider(browser.NewUser(t), s.URL+"/", p.Token, "")
}

// When the provider renews its cookie in time, the end of the earlier token goes unnoticed: every tab stays live, no
// event is missing, and the browser keeps its stored data.
func TestRenewedProviderCookieKeepsTheAppLive(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	ends := time.Now().Add(15 * time.Second)
	first := openByProvider(u, s.URL+"/", p.Sign(t, time.Until(ends)), "")
	second := openByProvider(u, s.URL+"/", "", "")
	tabs := []*browser.Tab{first, second}
	streams := func() (n int) {
		for _, tab := range tabs {
			n += browser.Eval[int](tab, `streams`)
		}
		return n
	}
	opened := streams()
	require.Positive(t, opened)
	before := browser.Eval[[]string](first, valueKeys)
	require.Contains(t, before, "session")
	setCookie(first, p.Token, "")
	var ids []string
	publish := func() {
		id := fmt.Sprintf("e%d", len(ids))
		ids = append(ids, id)
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":1,"days_overdue":1}}`, id))
	}
	require.Less(t, time.Now(), ends, "the first token ended before the test began")
	publish()
	testkit.Eventually(
		t,
		2*testkit.Soon,
		"the stream has ended with its token",
		func() bool { return streams() > opened },
	)
	publish()
	for _, tab := range tabs {
		for _, id := range ids {
			testkit.Shows(tab, id)
		}
		require.Equal(t, []string{"live"}, browser.Eval[[]string](tab, sinceLive))
		require.Subset(t, browser.Eval[[]string](tab, valueKeys), before)
		require.Empty(t, tab.Attributes(".banner-denied", "class"))
	}
	require.Greater(t, time.Now(), ends)
}

// When a token expires without a new one, the app says so and deletes nothing. When the provider sets a new cookie,
// every tab comes back by itself and receives the events of the meantime.
func TestExpiredProviderCookieDeletesNothing(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	first := openByProvider(u, s.URL+"/", p.Sign(t, 15*time.Second), "")
	second := openByProvider(u, s.URL+"/", "", "")
	tabs := []*browser.Tab{first, second}
	before := browser.Eval[[]string](first, valueKeys)
	require.Contains(t, before, "session")
	for _, tab := range tabs {
		tab.Eventually(2*testkit.Soon, `document.querySelector(".header [data-status=denied]")`)
		chip := browser.Eval[string](tab, `document.querySelector(".header .status-words").innerText`)
		require.Contains(t, chip, "Signed out")
		require.Subset(t, browser.Eval[[]string](tab, valueKeys), before)
	}
	s.Publish(`{"type":"rental_overdue","id":"meanwhile","data":{"rental_id":1,"days_overdue":1}}`)
	setCookie(first, p.Token, "")
	for _, tab := range tabs {
		tab.Show() // hidden tabs do not ask
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
	tab := openByProvider(u, s.URL+"/", p.Token, "")
	before := browser.Eval[[]string](tab, valueKeys)
	require.Contains(t, before, "session")
	s.Kill()
	p.AnswerWith(testkit.AnswerStatus(http.StatusInternalServerError))
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	s.Up()
	fresh := u.NewTab()
	fresh.OnNewDocument(watchStates)
	fresh.Open(s.URL + "/")
	fresh.Eventually(testkit.Soon, `document.querySelector(".header [data-status]")`)
	asked := p.Requests.Load()
	testkit.Eventually(
		t,
		testkit.Soon,
		"the broker has asked for keys",
		func() bool { return p.Requests.Load() > asked },
	)
	require.Subset(t, browser.Eval[[]string](tab, valueKeys), before)
	p.AnswerWith(nil)
	for _, tab := range []*browser.Tab{fresh, tab} {
		tab.Eventually(testkit.Soon, testkit.IsLive)
		require.NotContains(t, browser.Eval[[]string](tab, `states`), "denied")
		require.Subset(t, browser.Eval[[]string](tab, valueKeys), before)
	}
}

// When another user signs in at the provider and opens the app, all its tabs show that user.
func TestNextUserOfTheProviderOwnsAllTabs(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	s, u := p.StartBroker(t), browser.NewUser(t)
	first := openByProvider(u, s.URL+"/", p.Token, "")
	const name = `document.querySelector(".user-name")?.innerText`
	require.Equal(t, "User 4", browser.Eval[string](first, name))
	setCookie(first, p.SignFor(t, "5", time.Hour), "")
	openByProvider(u, s.URL+"/", "", "").Eventually(testkit.Soon, name+` === "User 5"`)
	first.Eventually(testkit.Soon, name+` === "User 5"`)
	first.Eventually(testkit.Soon, testkit.IsLive)
}

// When a sign-out cannot remove the provider's cookie, every tab says that the user is still signed in. It works when
// the broker knows the domain of the cookie.
func TestSignOutReportsACookieThatStays(t *testing.T) {
	t.Parallel()
	const domain = "; domain=company.test"
	words := `(document.querySelector(".sign-in .banner-denied")?.innerText ?? "")`
	t.Run("unknown", func(t *testing.T) {
		p := testkit.NewProvider(t)
		s, u := p.StartBroker(t), browser.NewUser(t)
		address := "http://yard.company.test:" + s.Port + "/"
		first := openByProvider(u, address, p.Token, domain)
		second := openByProvider(u, address, p.Token, domain)
		first.Show()
		first.Click("#sign-out")
		for _, tab := range []*browser.Tab{first, second} {
			tab.Eventually(testkit.Soon, words+`.includes("(still_signed_in)")`)
			require.Contains(t, browser.Eval[string](tab, words), "You are still signed in")
			button := browser.Eval[string](tab, `document.getElementById("sign-in-again").innerText`)
			require.Equal(t, "Stay signed in", button)
			after := browser.Eval[[]string](tab, sinceLive)[1:]
			require.NotContains(t, after, "live", "nobody is signed in again by itself")
		}
		require.NotContains(t, browser.Eval[[]string](first, valueKeys), "state")
		first.Click("#sign-in-again")
		first.Eventually(testkit.Soon, testkit.IsLive)
		require.Empty(t, browser.Eval[string](first, words))
	})
	t.Run("known", func(t *testing.T) {
		p := testkit.NewProvider(t)
		s, u := p.StartBroker(t, "--jwt-cookie-domain", "company.test"), browser.NewUser(t)
		address := "http://yard.company.test:" + s.Port + "/"
		first := openByProvider(u, address, p.Token, domain)
		second := openByProvider(u, address, p.Token, domain)
		first.Show()
		first.Click("#sign-out")
		for _, tab := range []*browser.Tab{first, second} {
			tab.Eventually(testkit.Soon, `document.getElementById("sign-in-again")?.innerText === "Try again"`)
			require.Empty(t, browser.Eval[string](tab, words))
		}
		require.NotContains(t, browser.Eval[string](first, `document.cookie`), "id_token")
	})
}

// On an address where the browser drops the cookie of the session, the sign-in page says so, before and after the sign-
// in. On a loopback address, the sign-in works.
func TestSignInPageExplainsPlainHTTP(t *testing.T) {
	t.Parallel()
	s := stack.New(t, "--auth", "users")
	s.Run("long enough a password\n", "user", "add", "ann", "--roles", "manager")
	s.Up()
	enter := func(tab *browser.Tab) {
		browser.Eval[bool](tab, `(() => {
			document.getElementById("sign-in-user").value = "ann";
			document.getElementById("sign-in-password").value = "long enough a password";
			window.same = true;
			document.querySelector("form").requestSubmit();
			return true })()`)
	}
	needsTLS := `document.querySelector(".sign-in .banner-denied")?.innerText.includes("(needs_tls)")`
	tab := browser.NewUser(t).NewTab()
	tab.OnNewDocument(watchStates)
	tab.Open("http://yard.lan.test:" + s.Port + "/")
	tab.Eventually(testkit.Soon, `document.getElementById("sign-in-password")`)
	tab.Eventually(testkit.Soon, needsTLS)
	tab.Forget()
	enter(tab)
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
		enter(tab)
		tab.Eventually(testkit.Soon, testkit.IsLive)
	}
}
