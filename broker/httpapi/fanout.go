package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/snd-rental/yardline/broker/fanout"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
)

// canFanOut reports whether Config.Fanout can write the stream of a request: it needs a
// connection of its own without encryption.
func (a *API) canFanOut(r *http.Request) bool {
	return a.Fanout != nil && r.TLS == nil && r.ProtoMajor == 1
}

// fanOut opens a stream that Config.Fanout writes. The handler returns while the stream
// goes on.
func (a *API) fanOut(w *statusRecorder, r *http.Request, p identity.Principal, subscription hub.Request) {
	stream := a.Fanout.NewStream()
	subscription.Wake, subscription.Abort = stream.Wake, stream.Abort
	reader, err := a.Open(r, p, subscription)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	a.hijacked.Add(1) // before the HTTP server forgets this connection
	conn, _, err := w.Hijack()
	if err != nil {
		a.hijacked.Done()
		reader.logEnd(err)
		reader.Leave()
		a.Refuse(w, r, err)
		return
	}
	w.status = http.StatusOK
	logRequest := takeEnd(w)
	ended := func(err error) {
		reader.logEnd(err)
		reader.Leave()
		logRequest()
		a.hijacked.Done()
	}
	a.setStreamHeaders(w.Header(), subscription.Gzip)
	response := fanout.Response{
		Head:         streamHead(w.Header(), r.ProtoMinor),
		IsChunked:    r.ProtoMinor == 1,
		WriteTimeout: a.timeouts.write,
		Ended:        ended,
	}
	if err := stream.Start(conn, reader.Subscriber, response); err != nil {
		reader.Log().Error("a connection could not be taken over", "error", err)
		ended(err)
	}
}

// streamHead returns the head of the response of a stream with the given headers (RFC 9112,
// section 2), whose values the broker has chosen or compared with its configuration. The
// client uses HTTP/1.minor; HTTP/1.0 has no chunks. The connection ends with the stream.
func streamHead(headers http.Header, minor int) []byte {
	head := fmt.Appendf(nil, "HTTP/1.%d 200 OK\r\nConnection: close\r\n", minor)
	if minor == 1 {
		head = append(head, "Transfer-Encoding: chunked\r\n"...)
	}
	head = append(head, "Date: "...)
	head = time.Now().UTC().AppendFormat(head, http.TimeFormat)
	for name, values := range headers {
		for _, value := range values {
			head = append(append(append(append(head, "\r\n"...), name...), ": "...), value...)
		}
	}
	return append(head, "\r\n\r\n"...)
}
