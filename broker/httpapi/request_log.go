package httpapi

import (
	"bufio"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// logKey is the key of a request's logger in its context.
type logKey struct{}

// requestLog returns the logger of a request. Its lines have the request's id.
func requestLog(r *http.Request) *slog.Logger {
	return r.Context().Value(logKey{}).(*slog.Logger) // logRequests has put it there
}

// requestID is the header of the answer by which a user can tell an operator which
// request they mean.
const requestID = "X-Request-Id"

// logRequests gives each request an id and a line in the log. The line has no query and
// no header, because these may contain secrets or personal data.
func (a *API) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := "r-" + strings.ToLower(rand.Text()[:12])
		log := a.Logger.With("request", id)
		r = r.WithContext(context.WithValue(r.Context(), logKey{}, log))
		w.Header().Set(requestID, id)
		recorder, start := &statusRecorder{ResponseWriter: w}, time.Now()
		defer func() {
			log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", recorder.status,
				"address", a.clientAddress(r), "ms", float64(time.Since(start).Microseconds())/1000)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// A statusRecorder is a response writer that remembers the status of the answer.
type statusRecorder struct {
	http.ResponseWriter
	status int // 0 before the answer begins
}

// WriteHeader implements http.ResponseWriter.
func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap returns the wrapped writer, for http.ResponseController.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker, for WebSockets.
func (w *statusRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
