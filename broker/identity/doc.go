// Package identity turns a request into a grant.
//
// # Credentials
//
// In this order: a bearer token of the installation or of its identity provider,
// the cookie with a token of the provider, the cookie of a session. A request
// with a bearer token is judged by that alone. No token is ever read from a URL,
// and a grant holds nothing that its credential does not say.
//
// # Guarantees
//
//   - A provider's key set that cannot be fetched, read or used changes nothing:
//     the keys before it stay in use ([Issuer.SetKeys], [Issuer.KeysError]).
//   - A key verifies only the methods that its kind, size, alg, use and key_ops
//     allow, whether a token names the key or not.
//   - A token is refused as invalid only if that is known. While its key may be
//     one that could not be fetched, the error is [ErrNoKeys].
//
// # Errors
//
// Users get the advice of a [Refusal], operators its cause.
package identity
