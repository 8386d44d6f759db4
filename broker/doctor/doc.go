// Package doctor checks a deployment from outside, as its clients see it, and advises the
// operator.
//
// # Usage
//
// [Check] runs all checks of a [Config], one after the other, and reports each [Finding]. It
// needs only the address of the broker. With a token it also measures streams.
//
// # Checks
//
//   - basic: HTTP authentication of a proxy in front of the broker.
//   - reachable and clock: whether the broker is ready, and whether the clocks agree. The
//     broker's own warnings are findings too.
//   - tls and hsts: the certificate, HTTP/2 and Strict-Transport-Security.
//   - sign-in: the user of the token, and how users sign in.
//   - stream, compression and heartbeat: how long a stream takes to its first frame, and
//     whether a proxy holds it back.
//   - delay: the delay of a single event.
//   - websocket: whether a WebSocket opens.
//
// When no request passes the proxy, or no broker answers, Check leaves the later checks out.
//
// # Guarantees
//
// Tokens and passwords are sent only over TLS or on the own machine, and are not sent after a
// redirect. No finding contains them. Check changes nothing at the broker, except that it
// publishes a notification for admins when the token is that of an admin and Config.ReadOnly
// is false.
package doctor
