package identity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
)

// VouchHeader is where a gate says for whom it lets a request through. It is
// believed by what can be reached through that gate alone (Authority.Vouched),
// and the gate lets no such header of a client's through.
const VouchHeader = "Yardline-Principal"

// Vouch says who sent a request.
func Vouch(p Principal) string {
	raw, _ := json.Marshal(p)                        // strings, numbers and a time always marshal
	return base64.RawURLEncoding.EncodeToString(raw) // names are of all scripts, headers are not
}

// Vouched reads what Vouch has written. The error is ErrNone or ErrInvalid.
func Vouched(h http.Header) (p Principal, err error) {
	text := h.Get(VouchHeader)
	if text == "" {
		return p, ErrNone
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
