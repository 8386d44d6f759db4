package identity

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unique"
)

// A Credential is what a client authenticates by: a bearer token, the values of cookies,
// or the identity that a front has forwarded. It holds nothing else of the request, so a
// connection can keep it and authenticate its client again with
// [Authority.AuthenticateCredential]. Equal credentials are equal by ==, and share the
// memory of their secret. fmt and slog do not print the secret. Nobody can authenticate
// by the zero value.
type Credential struct {
	kind   credentialKind
	secret unique.Handle[string]
}

// A credentialKind is a way to authenticate.
type credentialKind uint8

const (
	forwardedIdentity credentialKind = iota + 1 // the secret is the value of ForwardedIdentityHeader
	bearerToken                                 // the secret is a token
	issuerCookies                               // the secret is a list of tokens, separated by cookieSeparator
	sessionCookies                              // the secret is a list of cookies' values, separated by cookieSeparator
)

// cookieSeparator separates the values of cookies, which never contain it.
const cookieSeparator = ";"

// TokenCredential returns the Credential of a client that sends a bearer token by other
// means than a header.
func TokenCredential(token string) Credential { return Credential{bearerToken, unique.Make(token)} }

// ForwardedCredential returns the Credential of a client that a front has authenticated
// as p.
func ForwardedCredential(p Principal) Credential {
	return Credential{forwardedIdentity, unique.Make(EncodeForwardedIdentity(p))}
}

// CredentialOf returns what the sender of a request authenticates by. It takes the bearer
// token if there is one, else the cookies of the issuer's token, else the cookies of the
// session. It verifies nothing. The error is ErrNotSignedIn when there is none of them,
// or a *Refusal of two bearer tokens.
func (a *Authority) CredentialOf(r *http.Request) (Credential, error) {
	kind, secret, err := a.secretOf(r)
	if err != nil {
		return Credential{}, err
	}
	return Credential{kind, unique.Make(secret)}, nil
}

// Authenticate returns the sender of a request, by the credential that CredentialOf
// describes. The error is ErrNotSignedIn, ErrExpired, ErrInvalid (often as a *Refusal),
// ErrNoKeys, or an error of the session store.
func (a *Authority) Authenticate(r *http.Request) (Principal, error) {
	kind, secret, err := a.secretOf(r)
	if err != nil {
		return Principal{}, err
	}
	return a.authenticate(r.Context(), kind, secret)
}

// AuthenticateCredential returns the sender of the request that a Credential was made of,
// as Authenticate would now. ctx bounds the reading of the session store. The errors are
// those of Authenticate.
func (a *Authority) AuthenticateCredential(ctx context.Context, c Credential) (Principal, error) {
	if c.kind == 0 {
		return Principal{}, ErrNotSignedIn
	}
	return a.authenticate(ctx, c.kind, c.secret.Value())
}

// secretOf returns the parts of the Credential of a request. The errors are those of
// CredentialOf.
func (a *Authority) secretOf(r *http.Request) (kind credentialKind, secret string, err error) {
	if a.TrustForwardedIdentity {
		secret = r.Header.Get(ForwardedIdentityHeader)
		if secret == "" {
			return 0, "", ErrNotSignedIn
		}
		return forwardedIdentity, secret, nil
	}
	if secret, err = BearerToken(r.Header); err != nil || secret != "" {
		return bearerToken, secret, err
	}
	if tokens := a.issuerCookies(r); len(tokens) > 0 {
		return issuerCookies, strings.Join(tokens, cookieSeparator), nil
	}
	if a.Directory == nil {
		return 0, "", ErrNotSignedIn
	}
	var values []string
	for _, name := range a.Sessions.cookieNames() {
		values = append(values, cookies(r, name)...)
	}
	if len(values) == 0 {
		return 0, "", ErrNotSignedIn
	}
	return sessionCookies, strings.Join(values, cookieSeparator), nil
}

// authenticate is AuthenticateCredential for the parts of a Credential.
func (a *Authority) authenticate(ctx context.Context, kind credentialKind, secret string) (Principal, error) {
	switch kind {
	case forwardedIdentity:
		return parseForwardedIdentity(secret)
	case bearerToken:
		return a.Verify(secret)
	case issuerCookies:
		return a.authenticateByIssuerCookies(secret)
	case sessionCookies:
		return a.authenticateBySession(ctx, secret)
	}
	return Principal{}, ErrNotSignedIn
}

// authenticateByIssuerCookies verifies the tokens of the issuer's cookies. A browser may
// send several cookies of the same name, such as one for the host and one for the domain:
// the first valid one counts.
func (a *Authority) authenticateByIssuerCookies(tokens string) (p Principal, err error) {
	for token := range strings.SplitSeq(tokens, cookieSeparator) {
		found, refused := a.Verify(token)
		if refused == nil {
			return found, nil
		}
		// ErrNoKeys and ErrExpired help the user more than the refusal of another cookie.
		expired := errors.Is(refused, ErrExpired) && !errors.Is(err, ErrNoKeys)
		if err == nil || errors.Is(refused, ErrNoKeys) || expired {
			err = refused
		}
	}
	return Principal{}, err
}

// authenticateBySession finds the session of a cookie, and the present grant of its user.
func (a *Authority) authenticateBySession(ctx context.Context, cookies string) (Principal, error) {
	s, err := a.Sessions.find(ctx, strings.Split(cookies, cookieSeparator))
	if err != nil {
		return Principal{}, err
	}
	g, stamp, err := a.Directory.User(s.user)
	if err != nil || stamp != s.stamp {
		return Principal{}, ErrNotSignedIn // The user was removed, or has another password.
	}
	return Principal{Grant: g, Credential: s.name, Expires: s.expires, IsPerson: true, Stamp: stamp}, nil
}

// BearerToken returns the bearer token of a request, or "" when there is none. It
// ignores other schemes, because they may be meant for a proxy in front: a browser
// sends the proxy's credentials to the broker, too. Two different tokens are a
// *Refusal.
func BearerToken(h http.Header) (token string, err error) {
	// Proxies may join several header fields with commas. No token contains a comma.
	for field := range strings.SplitSeq(strings.Join(h.Values("Authorization"), ","), ",") {
		scheme, value, _ := strings.Cut(strings.TrimSpace(field), " ")
		value = strings.TrimSpace(value)
		if !strings.EqualFold(scheme, "Bearer") || value == "" || value == token {
			continue
		}
		if token != "" {
			return "", &Refusal{Advice: "The request has two bearer tokens. Send one.",
				Cause: errors.New("there are two bearer tokens")}
		}
		token = value
	}
	return token, nil
}

// maxCookies is the number of cookies of one name that the broker reads of a request.
const maxCookies = 4

// issuerCookies returns the tokens of the issuer in the cookies of a request.
func (a *Authority) issuerCookies(r *http.Request) []string {
	if a.Issuer == nil {
		return nil
	}
	return cookies(r, a.Issuer.c.Cookie)
}

// cookies returns the non-empty values of the cookies of one name, at most
// maxCookies of them.
func cookies(r *http.Request, name string) (values []string) {
	for _, c := range r.CookiesNamed(name) {
		if c.Value != "" && len(values) < maxCookies {
			values = append(values, c.Value)
		}
	}
	return values
}
