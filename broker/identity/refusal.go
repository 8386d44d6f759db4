package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"
)

// A Refusal explains why a token is not accepted. It wraps ErrInvalid.
type Refusal struct {
	Advice string // for the sender of the token: the fault and the remedy
	Cause  error  // for the operator: the exact reason
}

// Error implements error.
func (r *Refusal) Error() string { return ErrInvalid.Error() + ": " + r.Cause.Error() }

// Unwrap lets errors.Is find ErrInvalid and the cause.
func (r *Refusal) Unwrap() []error { return []error{ErrInvalid, r.Cause} }

// adviceOtherKey is the advice for a token whose signature no known key verifies.
const adviceOtherKey = "Its signature does not match a key of this installation or of its identity provider: " +
	"it was changed, or signed elsewhere, or the key has been replaced. Get a new one."

// adviceByError lists the advice for each error. The first entry that matches with
// errors.Is counts.
var adviceByError = []struct {
	err    error
	advice string
}{
	{errUnknownKey,
		"The identity provider does not publish the key that signed it. Get a new one from it."},
	{errRetiredKey, "The identity provider has taken away the key that signed it. Get a new one."},
	{errWrongMethod, "It is signed by a method that is not accepted for its key. Ask your administrator."},
	{jwt.ErrTokenMalformed, "It is not a JSON Web Token. Send the token alone, whole and without quotes."},
	{jwt.ErrTokenSignatureInvalid, adviceOtherKey},
	{jwt.ErrTokenUnverifiable, adviceOtherKey},
	{jwt.ErrTokenInvalidIssuer, "It is of another issuer (claim iss) than the identity provider of this installation."},
	{jwt.ErrTokenInvalidAudience,
		"It is for another audience (claim aud) than this installation. Ask your administrator which one to name."},
	{jwt.ErrTokenRequiredClaimMissing,
		"It lacks a claim that is required: iss, aud, exp and sub are. Ask your administrator."},
	{jwt.ErrTokenNotValidYet, "It is not valid yet (claim nbf). Check the clock of the machine that signed it."},
	{jwt.ErrTokenUsedBeforeIssued,
		"It was issued in the future (claim iat). Check the clock of the machine that signed it."},
	{jwt.ErrTokenInvalidClaims, "One of its claims is not valid. Ask your administrator."},
}

// refusalOf turns an error of the JWT library into ErrExpired or a *Refusal. A token
// has merely expired only if its issuer and audience are right.
func refusalOf(err error) error {
	isForOthers := errors.Is(err, jwt.ErrTokenInvalidIssuer) || errors.Is(err, jwt.ErrTokenInvalidAudience)
	if errors.Is(err, jwt.ErrTokenExpired) && !isForOthers {
		return ErrExpired
	}
	for _, a := range adviceByError {
		if errors.Is(err, a.err) {
			return &Refusal{Advice: a.advice, Cause: err}
		}
	}
	return &Refusal{Advice: "Get a new one.", Cause: err}
}

// refuseClaims returns a *Refusal for a token with a valid signature whose claims do
// not make a valid grant. The message of err becomes the advice.
func refuseClaims(err error) error {
	text := []rune(err.Error())
	text[0] = unicode.ToUpper(text[0])
	return &Refusal{Advice: strings.TrimSuffix(string(text), ".") + ". Ask your administrator.",
		Cause: fmt.Errorf("no user follows from its claims: %w", err)}
}

// latestExpiry is the latest time at which a grant may end. Tokens may name years
// that neither JSON nor a count of nanoseconds can hold.
var latestExpiry = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// clampExpiry returns at, but not later than latestExpiry.
func clampExpiry(at time.Time) time.Time {
	if at.After(latestExpiry) {
		return latestExpiry
	}
	return at
}
