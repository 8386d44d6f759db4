package identity

import (
	"net/http"
	"slices"
	"strings"
)

// dropCookie asks the browser to remove the issuer's cookie of this host, and that
// of IssuerConfig.CookieDomain. It cannot remove a cookie of another path.
func (i *Issuer) dropCookie(w http.ResponseWriter) {
	// Browsers accept the prefixes __Host- and __Secure- only together with Secure.
	c := http.Cookie{Name: i.c.Cookie, Path: "/", MaxAge: -1, HttpOnly: true,
		Secure: strings.HasPrefix(i.c.Cookie, "__")}
	http.SetCookie(w, &c)
	if i.c.CookieDomain != "" {
		c.Domain = i.c.CookieDomain
		http.SetCookie(w, &c)
	}
}

const (
	// signedOutCookie is the cookie that the broker sets when it asks the browser to
	// drop the issuer's cookie. It holds the names of the dropped tokens (see
	// tokenName), separated by dots. When a later request still has one of these
	// tokens, the browser has kept its cookie.
	signedOutCookie  = "yardline_signed_out"
	signedOutSeconds = 60 // how long the browser keeps signedOutCookie
)

// markSignedOut sets signedOutCookie for the tokens.
func markSignedOut(w http.ResponseWriter, tokens []string) {
	var names []string
	for _, token := range tokens {
		names = append(names, tokenName(token))
	}
	http.SetCookie(w, &http.Cookie{Name: signedOutCookie, Value: strings.Join(names, "."), Path: "/",
		MaxAge: signedOutSeconds, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// SignOutFailed tells whether a request still has a token of the issuer that was
// signed out less than signedOutSeconds ago. The browser keeps such a cookie when it
// is set for a whole domain or for another path. SignOutFailed removes
// signedOutCookie, so it returns true only once for a sign-out.
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
