package identity

import (
	"net/http"
	"slices"
	"strings"
)

// forget asks the browser to drop the issuer's cookie: the one of this host, and
// the one of the domain where it is known. It drops no cookie of another path.
func (i *Issuer) dropCookie(w http.ResponseWriter) {
	// Browsers take the prefixes __Host- and __Secure- with Secure alone.
	c := http.Cookie{Name: i.c.Cookie, Path: "/", MaxAge: -1, HttpOnly: true,
		Secure: strings.HasPrefix(i.c.Cookie, "__")}
	http.SetCookie(w, &c)
	if i.c.CookieDomain != "" {
		c.Domain = i.c.CookieDomain
		http.SetCookie(w, &c)
	}
}

// signedOutCookie goes with an answer that asks the browser to drop the issuer's
// cookie. It names the tokens, without their secrets, with a dot between: where a
// later request has one of them, the browser has not dropped its cookie.
const (
	signedOutCookie  = "yardline_signed_out"
	signedOutSeconds = 60
)

func markSignedOut(w http.ResponseWriter, tokens []string) {
	var names []string
	for _, token := range tokens {
		names = append(names, tokenName(token))
	}
	http.SetCookie(w, &http.Cookie{Name: signedOutCookie, Value: strings.Join(names, "."), Path: "/",
		MaxAge: signedOutSeconds, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// SignOutFailed tells whether a request still has a cookie of the issuer that was
// signed out a moment ago. The browser kept it, because it is set for a whole
// domain or for another path. SignOutFailed tells so once.
func (a *Authority) SignOutFailed(w http.ResponseWriter, r *http.Request) bool {
	mark, err := r.Cookie(signedOutCookie)
	if err != nil {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: signedOutCookie, Path: "/", MaxAge: -1, HttpOnly: true,
		SameSite: http.SameSiteLaxMode})
	signedOut := strings.Split(mark.Value, ".")
	return slices.ContainsFunc(a.issuerCookies(r), func(token string) bool {
		return slices.Contains(signedOut, tokenName(token))
	})
}
