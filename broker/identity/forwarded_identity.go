package identity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
)

// ForwardedIdentityHeader is the header in which a front forwards the sender of a
// request. A front is a program that gets and authenticates the requests before the
// broker, such as that of package edge. Only a broker that can be reached through its
// front alone may trust the header (see Authority.TrustForwardedIdentity). The front
// must remove this header from the requests of clients.
const ForwardedIdentityHeader = "Yardline-Principal"

// EncodeForwardedIdentity returns the value of ForwardedIdentityHeader for the
// sender of a request.
func EncodeForwardedIdentity(p Principal) string {
	raw, _ := json.Marshal(p) // Strings, numbers and a time always marshal.
	// Headers are ASCII, but names may be in any script.
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParseForwardedIdentity reads ForwardedIdentityHeader. The error is ErrNotSignedIn
// when the header is missing, and wraps ErrInvalid when it cannot be read.
func ParseForwardedIdentity(h http.Header) (Principal, error) {
	text := h.Get(ForwardedIdentityHeader)
	if text == "" {
		return Principal{}, ErrNotSignedIn
	}
	return parseForwardedIdentity(text)
}

// parseForwardedIdentity reads a value of ForwardedIdentityHeader. The error wraps
// ErrInvalid.
func parseForwardedIdentity(text string) (p Principal, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return p, nil
}
