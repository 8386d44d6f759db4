package identity

import (
	"net/http"
	"slices"
	"strings"
)

// forget asks the browser to drop the issuer's cookie: the one of this host, and
// the one of the domain where it is known. It drops no cookie of another path.
func (i *Issuer) forget(w http.ResponseWriter) {
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
// cookie. It names the credential, without its secret: where a later request has
// both, the browser has not dropped that cookie. Several names have a dot between.
const (
	signedOutCookie  = "yardline_signed_out"
	signedOutSeconds = 60
)

func markSignedOut(w http.ResponseWriter, credentials []string) {
	http.SetCookie(w, &http.Cookie{Name: signedOutCookie, Value: strings.Join(credentials, "."), Path: "/",
		MaxAge:   signedOutSeconds,
		HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// SignOutFailed tells whether a request is still signed in by what was signed out
// a moment ago, because the browser kept the cookie: it is set for a whole domain
// or for another path. It tells so once.
func SignOutFailed(w http.ResponseWriter, r *http.Request, p Principal) bool {
	c, err := r.Cookie(signedOutCookie)
	if err != nil {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: signedOutCookie, Path: "/", MaxAge: -1, HttpOnly: true,
		SameSite: http.SameSiteLaxMode})
	return slices.Contains(strings.Split(c.Value, "."), p.Credential)
}
