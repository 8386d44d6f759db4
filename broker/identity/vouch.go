package identity

import (
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
	raw, _ := json.Marshal(p) // strings, numbers and a time always marshal
	return string(raw)
}

// vouched reads what Vouch has written. The error is ErrNone or ErrInvalid.
func vouched(h http.Header) (p Principal, err error) {
	text := h.Get(VouchHeader)
	if text == "" {
		return p, ErrNone
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return p, nil
}
