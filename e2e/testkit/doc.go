// Package testkit has the helpers that several packages of end-to-end tests share.
//
// # Usage
//
//   - Pages: [Open] opens a page of the app as a demo user, [SignIn] signs a user in, and [Shows] waits for an event.
//   - Events: [PublishNumbered] and [PublishAll] publish events. [ReadPage], [ReadBySSE] and [ReadByWebSocket]
//     read them.
//   - Requests: [Send] and [Get] send a request. [GetRaw] and [OpenUnreadStream] also do so, but do not read the
//     answer.
//   - Waiting: [Eventually] waits for a condition. [ForFullRun] chooses between the short and the long form of a test.
//   - Servers: a [Proxy] passes requests on or answers them itself, a [Provider] is an identity provider, and a
//     [Certificate] lets a server speak TLS.
//
// # Errors
//
// Each helper ends the test when a step fails, as [testing.T.FailNow] does. All servers run until the test ends.
package testkit
