package port

import (
	"context"
	"errors"
	"strings"
)

// A Request is an HTTP request to the broker.
type Request struct {
	// Method is the HTTP method.
	Method string

	// Path is the path below the broker's root, with the query.
	Path string

	// Header has the headers that the transport does not set by itself.
	Header map[string]string

	// Body is the body. Nil sends none.
	Body []byte

	// Repeatable says that it does no harm to send the request twice. Then a transport may send it again when a kept
	// connection ends before the answer.
	Repeatable bool
}

// A Response is an answer of the broker, or of something between the client and the broker. A transport follows no
// redirect, because the broker sends none, and the target of a redirect must not get the credentials.
type Response struct {
	// Status is the HTTP status. In a browser it is 302 for every redirect, because a page does not learn which.
	Status int

	// ContentType is the media type as [MediaType] returns it.
	ContentType string

	// RetryAfter is the header of that name, or "".
	RetryAfter string

	// Location is the target of a redirect. It is "" in a browser.
	Location string

	// Body is the whole body. It is empty for a stream.
	Body []byte
}

// MediaType returns the media type of a Content-Type header in lower case, without its parameters. It accepts malformed
// parameters, because some proxies send them.
func MediaType(header string) string {
	media, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// A Transport carries requests to one broker, with the user's credentials.
type Transport interface {
	// Do sends a request and returns the whole answer, whatever its status. An error means that no answer came.
	Do(ctx context.Context, r Request) (Response, error)

	// Stream sends a request. If the answer is an event stream (status 200, text/event-stream), Stream calls handle
	// with each piece of the body as it comes, until the body ends or handle returns an error. A piece is valid
	// during the call. Stream returns any other answer whole. An error means that no answer came, that the stream
	// broke, or is handle's.
	Stream(ctx context.Context, r Request, handle func(piece []byte) error) (Response, error)

	// Socket opens a WebSocket at a path with the subprotocol wire.Subprotocol. It calls handle with each text
	// message as it comes, until the socket is closed or handle returns an error. A message is valid during the
	// call. If the socket did not open, the error is ErrNoUpgrade, or an [*Error] for a refusal by the broker, a
	// redirect or a temporary failure. A browser does not report the reason, so its transport returns ErrNoUpgrade.
	Socket(ctx context.Context, path string, handle func(message []byte) error) error
}

// ErrNoUpgrade means that a WebSocket did not open.
var ErrNoUpgrade = errors.New("wasmclient: the WebSocket did not open")
