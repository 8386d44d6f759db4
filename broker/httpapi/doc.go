// Package httpapi is the broker's HTTP surface: one file a resource, one
// format of refusals (problem documents by RFC 9457). Handlers translate; what
// they decide comes from the hub, the identity and the shared packages.
package httpapi
