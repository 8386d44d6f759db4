// Package identity turns a request into a grant: a session cookie, or a
// bearer token that this installation signed. Nothing is granted that neither
// says, and no token is ever read from a URL.
package identity
