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

type logKey struct{}

// requestLog is the logger of a request; its lines carry the request's id.
func requestLog(r *http.Request) *slog.Logger {
	return r.Context().Value(logKey{}).(*slog.Logger) // logged has put it there
}

// requestID is the header by which a user can tell an operator which request
// they mean.
const requestID = "X-Request-Id"

// logged gives each request an id and a line in the log. A line has
// no query and no header: there may be secrets or a person's data in them.
func (a *API) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := "r-" + strings.ToLower(rand.Text()[:12])
		log := a.Logger.With("request", id)
		r = r.WithContext(context.WithValue(r.Context(), logKey{}, log))
		w.Header().Set(requestID, id)
		out, start := &recorder{ResponseWriter: w}, time.Now()
		defer func() {
			log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", out.status,
				"address", a.address(r), "ms", float64(time.Since(start).Microseconds())/1000)
		}()
		next.ServeHTTP(out, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker, for WebSockets.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
