package contracttest

import (
	"fmt"
	"time"

	"github.com/snd-rental/yardline/shared/problem"
)

// hello returns the first frame of a stream that starts after one cursor, and whose log ends at another.
// Heartbeats come every ten minutes, so that none is missed.
func hello(start, head string) string {
	return "retry: 1000\nid: " + start + "\nevent: hello\ndata: {\"epoch\":\"k\"," +
		"\"head\":\"" + head + "\",\"oldest\":\"k-1\",\"heartbeat_ms\":600000,\"retry_ms\":1000," +
		"\"connection\":\"c\",\"grant\":\"g\"}\n\n"
}

// data returns the data of an event with an id.
func data(id string) string {
	return `{"specversion":"1.0","id":"` + id + `","type":"system_notification","source":"/x",` +
		`"subject":"system/x","time":"2026-11-24T12:00:00Z","severity":"info","actor":"x","data":{"message":"grüße"}}`
}

// event returns the frame of an event at a cursor.
func event(at, id string) string {
	return "id: " + at + "\nevent: system_notification\ndata: " + data(id) + "\n\n"
}

// unreadable returns the frame of an event without a valid time.
func unreadable(at string) string {
	data := `{"id":"x","type":"system_notification","time":"tomorrow","data":{}}`
	return "id: " + at + "\nevent: system_notification\ndata: " + data + "\n\n"
}

func bye(reason string) string {
	return "event: bye\ndata: {\"reason\":\"" + reason + "\",\"delay_ms\":0}\n\n"
}

// open returns a stream that stays open.
func open(body string) Answer { return Answer{Body: body, Open: true} }

// refusal returns a problem document of the broker.
func refusal(status int, code string) Answer {
	return Answer{Status: status,
		Body: fmt.Sprintf(`{"type":"`+problem.TypePrefix+`%[2]s","status":%[1]d,"code":"%[2]s","title":"x"}`, status,
			code)}
}

// expired returns a stream that ends because its token has expired.
func expired(body string) Answer {
	return Answer{Body: body, Lasts: 11 * time.Second, Later: bye("expired")}
}

// between returns a stream that is cut, then an answer of a proxy, then a stream again.
func between(a Answer) []Answer {
	return []Answer{{Body: hello("k-5", "k-5") + event("k-6", "a")}, a, open(hello("k-6", "k-7") + event("k-7", "b"))}
}

// Cases are the contract. Later versions may add cases.
var Cases = []Case{
	{Name: "events in order", Answers: []Answer{open(hello("k-5", "k-5") + event("k-6", "a") + event("k-9", "b"))},
		IDs: []string{"a", "b"}, After: []string{""}, State: "live"},
	{Name: "line ends CRLF", Answers: []Answer{
		open("retry: 1000\r\nid: k-5\r\nevent: hello\r\ndata: {\"epoch\":\"k\",\"head\":\"k-5\"," +
			"\"heartbeat_ms\":600000,\"retry_ms\":1000}\r\n\r\nid: k-6\r\nevent: system_notification\r\n" +
			"data: " + data("a") + "\r\n\r\n"),
	},
		IDs: []string{"a"}, After: []string{""}, State: "live"},
	{Name: "line ends CR", Answers: []Answer{
		open("id: k-5\revent: hello\rdata: {\"epoch\":\"k\",\"head\":\"k-5\",\"heartbeat_ms\":600000," +
			"\"retry_ms\":1000}\r\rid: k-6\revent: system_notification\rdata: " + data("a") + "\r\r:\r"),
	},
		IDs: []string{"a"}, After: []string{""}, State: "live"},
	{Name: "a byte order mark, comments and unknown fields", Answers: []Answer{
		open("\ufeff: hi\n\n" + hello("k-5", "k-5") + ":\nfoo: bar\nid: k-6\nevent:system_notification\n" +
			"nonsense\ndata:" + data("a") + "\n\n"),
	},
		IDs: []string{"a"}, After: []string{""}, State: "live"},
	{Name: "an event of a type that is not known yet", Answers: []Answer{
		open(hello("k-5", "k-5") + "id: k-6\nevent: from_the_future\ndata: {\"x\":1}\n\n" + event("k-7", "a")),
	},
		IDs: []string{"a"}, After: []string{""}, State: "live"},
	{Name: "what is repeated is dropped", Answers: []Answer{
		open(hello("k-5", "k-5") + event("k-6", "a") + event("k-6", "a") + event("k-4", "z") + event("k-7", "b")),
	},
		IDs: []string{"a", "b"}, After: []string{""}, State: "live"},
	{Name: "a cut resumes after the last whole event", Answers: []Answer{
		{Body: hello("k-5", "k-5") + event("k-6", "a") + "id: k-7\nevent: system_notification\ndata: {\"spec"},
		open(hello("k-6", "k-7") + event("k-7", "b")),
	},
		IDs: []string{"a", "b"}, After: []string{"", "k-6"}, State: "live"},
	{Name: "an id counts when its block is finished", Answers: []Answer{
		{Body: hello("k-5", "k-5") + event("k-6", "a") + "id: k-9\n"},
		open(hello("k-6", "k-6")),
	},
		IDs: []string{"a"}, After: []string{"", "k-6"}, State: "live"},
	{Name: "a heartbeat moves the place", Answers: []Answer{
		{Body: hello("k-5", "k-5") + "id: k-40\n\n"},
		open(hello("k-40", "k-40")),
	},
		After: []string{"", "k-40"}, State: "live"},
	{Name: "a gap is reported and gone on from", Answers: []Answer{
		{Body: hello("k-5", "k-90") + "id: k-80\nevent: gap\ndata: {\"from\":\"k-5\"," +
			"\"to\":\"k-80\"}\n\n" + event("k-81", "a")},
		open(hello("k-81", "k-81")),
	},
		IDs: []string{"a"}, After: []string{"", "k-81"}, Gaps: 1, State: "live"},
	{Name: "a broken frame costs the connection, not the stream", Answers: []Answer{
		{Body: hello("k-5", "k-5") + event("k-6", "a") + "id: k-7\nevent: system_notification\ndata: {broken\n\n"},
		open(hello("k-6", "k-7") + event("k-7", "b")),
	},
		IDs: []string{"a", "b"}, After: []string{"", "k-6"}, State: "live"},
	{Name: "an event that cannot be read is gone on from, the second time", Answers: []Answer{
		open(hello("k-5", "k-5") + event("k-6", "a") + unreadable("k-7") + event("k-8", "b")),
		open(hello("k-6", "k-8") + unreadable("k-7") + event("k-8", "b") + unreadable("k-9") + event("k-10", "c"))},
		IDs: []string{"a", "b", "c"}, After: []string{"", "k-6"}, Gaps: 2, State: "live"},
	{Name: "a missed heartbeat", Answers: []Answer{
		open("id: k-5\nevent: hello\ndata: {\"epoch\":\"k\",\"head\":\"k-5\",\"heartbeat_ms\":1000," +
			"\"retry_ms\":1000}\n\n" + event("k-6", "a")),
		open(hello("k-6", "k-7") + event("k-7", "b")),
	},
		IDs: []string{"a", "b"}, After: []string{"", "k-6"}, State: "live"},
	{Name: "bye: reconnect", Answers: []Answer{
		{Body: hello("k-5", "k-5") + event("k-6", "a") + bye("drain")},
		open(hello("k-6", "k-6")),
	},
		IDs: []string{"a"}, After: []string{"", "k-6"}, State: "live"},
	{Name: "bye for a reason that is not known yet", Answers: []Answer{
		{Body: hello("k-5", "k-5") + bye("tea_time")},
		open(hello("k-5", "k-5")),
	},
		After: []string{"", "k-5"}, State: "live"},
	{Name: "bye: signed out", Answers: []Answer{
		{Body: hello("k-5", "k-5") + bye("signed_out")},
		open(hello("k-5", "k-5")),
	},
		After: []string{""}, Within: time.Hour, State: "denied", Code: "signed_out"},
	{Name: "bye: stop", Answers: []Answer{{Body: hello("k-5", "k-5") + bye("stop")}, open(hello("k-5", "k-5"))},
		After: []string{""}, Within: time.Hour, State: "disconnected", Code: "stop"},
	{Name: "the broker's 401 waits for a sign-in", Answers: []Answer{
		refusal(401, problem.CodeSignInRequired), open(hello("k-5", "k-5"))},
		After: []string{""}, Within: time.Hour, State: "denied", Code: problem.CodeSignInRequired},
	{Name: "the broker's 403 asks for no other attempt", Answers: []Answer{
		refusal(403, problem.CodeForbidden), open(hello("k-5", "k-5"))},
		After: []string{""}, Within: time.Hour, State: "denied", Code: problem.CodeForbidden},
	{Name: "a proxy's 401 is never the last word", Answers: between(Answer{Status: 401, Body: "<html>"}),
		IDs: []string{"a", "b"}, After: []string{"", "k-6", "k-6"}, State: "live"},
	{Name: "a proxy's 403 is never the last word", Answers: between(Answer{Status: 403, Body: "<html>"}),
		IDs: []string{"a", "b"}, After: []string{"", "k-6", "k-6"}, State: "live"},
	{Name: "a 204 is never the last word", Answers: between(Answer{Status: 204}),
		IDs: []string{"a", "b"}, After: []string{"", "k-6", "k-6"}, State: "live"},
	{Name: "a gateway's own JSON is not the broker's", Answers: between(
		Answer{Status: 403, Media: "application/json", Body: `{"code":"forbidden","title":"x"}`}),
		IDs: []string{"a", "b"}, After: []string{"", "k-6", "k-6"}, State: "live"},
	{Name: "a gateway's own problem document is not the broker's", Answers: between(
		Answer{Status: 401, Body: `{"type":"about:blank","code":"unauthorized","title":"x"}`}),
		IDs: []string{"a", "b"}, After: []string{"", "k-6", "k-6"}, State: "live"},
	{Name: "HTML with 200 is never the last word",
		Answers: between(Answer{Status: 200, Body: "<html>sign in to this hotel"}),
		IDs:     []string{"a", "b"}, After: []string{"", "k-6", "k-6"}, State: "live"},
	{Name: "a redirect is never the last word", Answers: between(Answer{Status: 302}),
		IDs: []string{"a", "b"}, After: []string{"", "k-6", "k-6"}, State: "live"},
	{Name: "a redirect is known for one", Answers: []Answer{{Status: 302}},
		After: []string{""}, Within: 900 * time.Millisecond, State: "reconnecting", Code: "login_redirect"},
	{Name: "bye: expired, and renewed", Answers: []Answer{
		expired(hello("k-5", "k-5") + event("k-6", "a")), open(hello("k-6", "k-7") + event("k-7", "b"))},
		IDs: []string{"a", "b"}, After: []string{"", "k-6"}, Within: 11500 * time.Millisecond, State: "live"},
	{Name: "bye: expired, and over", Answers: []Answer{
		expired(hello("k-5", "k-5")), refusal(401, problem.CodeExpired), open(hello("k-5", "k-5"))},
		After: []string{"", "k-5"}, Within: time.Hour, State: "denied", Code: problem.CodeExpired},
	{Name: "bye: expired, and a proxy is in between", Answers: []Answer{
		expired(hello("k-5", "k-5")), {Status: 401, Body: "<html>"}, open(hello("k-5", "k-5"))},
		After: []string{"", "k-5", "k-5"}, State: "live"},
	{Name: "a 502 is never the last word", Answers: []Answer{
		{Status: 502, Body: "<html>"},
		{Status: 502},
		open(hello("k-5", "k-5") + event("k-6", "a")),
	},
		IDs: []string{"a"}, After: []string{"", "", ""}, State: "live"},
	{Name: "Retry-After is waited for", Answers: []Answer{
		{Status: 503, RetryAfter: "50", Body: refusal(503, problem.CodeDraining).Body}, open(hello("k-5", "k-5"))},
		After: []string{""}, Within: 49 * time.Second, State: "limited", Code: problem.CodeDraining},
}
