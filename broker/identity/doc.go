// Package identity authenticates requests: it turns the credential of a request
// into a [Principal] with a grant.
//
// # Usage
//
// An [Authority] combines the sources of identity of one broker. Its fields define
// which of them the broker has:
//
//   - [Tokens] creates and verifies the installation's own bearer tokens.
//   - A [Directory] holds the users that sign in at the broker itself: [Users]
//     reads a users file, [DemoDirectory] lets everybody in for a demo.
//   - [Sessions] keeps them signed in: [StoredSessions] in the event log's
//     store, [SignedSessions] in the cookie alone, for the edge.
//   - An [Issuer] verifies the tokens of an external identity provider.
//
// [Authority.Authenticate] tries the credentials of a request in this order:
//
//  1. A bearer token of the installation or of its identity provider. When a
//     request has one, no other credential counts.
//  2. The cookie that holds a token of the identity provider.
//  3. The cookie of a session.
//
// A connection that stays open keeps the [Credential] of its request, and authenticates
// its client again with [Authority.AuthenticateCredential].
//
// Behind a front that authenticates, as in package edge, the broker reads the
// principal from a header instead (see [ForwardedIdentityHeader]).
//
// # Guarantees
//
//   - The package never reads a token from a URL.
//   - A grant holds only the rights that its credential gives.
//   - When the key set of an identity provider cannot be fetched, read or used,
//     the previous keys stay in use (see [Issuer.SetKeys] and [Issuer.KeysError]).
//   - A key verifies only the signing methods that its kind, size, alg, use and
//     key_ops allow, whether or not the token names the key.
//   - An Authority verifies a token once and keeps its principal by the SHA-256 of the
//     token, never by its text. It uses the principal until the token expires or any key
//     changes, and never before the times in the claims nbf and iat. It keeps a bounded
//     number of tokens and no refusals, and looks up sessions and users each time.
//   - The package refuses a token as invalid only when this is certain. While the
//     key of the token may be one that could not be fetched, the error is
//     [ErrNoKeys].
//
// # Concurrency
//
// All functions and methods are safe for concurrent use. The fields of an
// Authority must not change after its first use.
//
// # Errors
//
// A refused token is a [Refusal], which wraps [ErrInvalid]. Its Advice is for the
// user, its Cause for the operator.
package identity
