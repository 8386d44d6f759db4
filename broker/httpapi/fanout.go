package httpapi

import (
	"net/http"
	"time"

	"github.com/snd-rental/yardline/broker/fanout"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
)

// canFanOut reports whether Config.Fanout can write the stream of a request: it needs a
// connection of its own without encryption, and chunks.
func (a *API) canFanOut(r *http.Request) bool {
	return a.Fanout != nil && r.TLS == nil && r.ProtoMajor == 1 && r.ProtoMinor == 1
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
	conn, _, err := w.Hijack()
	if err != nil {
		reader.Leave()
		a.Refuse(w, r, err)
		return
	}
	w.status = http.StatusOK
	a.hijacked.Add(1)
	logRequest := takeEnd(w)
	ended := func(err error) {
		reader.logEnd(err)
		reader.Leave()
		logRequest()
		a.hijacked.Done()
	}
	a.setStreamHeaders(w.Header(), subscription.Gzip)
	response := fanout.Response{Head: streamHead(w.Header()), WriteTimeout: a.timeouts.write, Ended: ended}
	if err := stream.Start(conn, reader.Subscriber, response); err != nil {
		reader.Log().Error("a connection could not be taken over", "error", err)
		ended(err)
	}
}

// streamHead returns the head of the response of a stream with the given headers (RFC 9112,
// section 2), whose values the broker has chosen or compared with its configuration. The
// connection ends with the stream.
func streamHead(headers http.Header) []byte {
	head := []byte("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nDate: ")
	head = time.Now().UTC().AppendFormat(head, http.TimeFormat)
	for name, values := range headers {
		for _, value := range values {
			head = append(append(append(append(head, "\r\n"...), name...), ": "...), value...)
		}
	}
	return append(head, "\r\n\r\n"...)
}
