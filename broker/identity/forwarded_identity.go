package identity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
)

// ForwardedIdentityHeader is where a gate says for whom it lets a request through. It is
// believed by what can be reached through that gate alone (Authority.TrustForwardedIdentity),
// and the gate lets no such header of a client's through.
const ForwardedIdentityHeader = "Yardline-Principal"

// EncodeForwardedIdentity says who sent a request.
func EncodeForwardedIdentity(p Principal) string {
	raw, _ := json.Marshal(p)                        // strings, numbers and a time always marshal
	return base64.RawURLEncoding.EncodeToString(raw) // names are of all scripts, headers are not
}

// Vouched reads what EncodeForwardedIdentity has written. The error is ErrNotSignedIn or ErrInvalid.
func ParseForwardedIdentity(h http.Header) (p Principal, err error) {
	text := h.Get(ForwardedIdentityHeader)
	if text == "" {
		return p, ErrNotSignedIn
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return p, nil
}
