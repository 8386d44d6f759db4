package httpapi

import (
	"bufio"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// logKey is the key of a request's requestLogger in its context.
type logKey struct{}

// A requestLogger makes the logger of a request when it is needed, because most requests
// log nothing.
type requestLogger struct {
	base *slog.Logger
	id   string // of the request
}

// logger returns the logger. Its lines have the request's id.
func (l requestLogger) logger() *slog.Logger { return l.base.With("request", l.id) }

// requestLoggerOf returns the requestLogger of a request.
func requestLoggerOf(r *http.Request) requestLogger {
	return r.Context().Value(logKey{}).(requestLogger) // logRequests has put it there
}

// requestLog returns the logger of a request. Its lines have the request's id.
func requestLog(r *http.Request) *slog.Logger { return requestLoggerOf(r).logger() }

// requestID is the header of the answer by which a user can tell an operator which
// request they mean.
const requestID = "X-Request-Id"

// logRequests gives each request an id and a line in the log. The line has no query and
// no header, because these may contain secrets or personal data.
func (a *API) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		growStack()
		id := "r-" + strings.ToLower(rand.Text()[:12])
		log := requestLogger{a.Logger, id}
		r = r.WithContext(context.WithValue(r.Context(), logKey{}, log))
		w.Header().Set(requestID, id)
		recorder, start := &statusRecorder{ResponseWriter: w}, time.Now()
		if a.Logger.Enabled(r.Context(), slog.LevelDebug) {
			recorder.logEnd = func() {
				log.logger().Debug("request", "method", r.Method, "path", r.URL.Path, "status", recorder.status,
					"address", a.clientAddress(r), "ms", float64(time.Since(start).Microseconds())/1000)
			}
		}
		defer recorder.end()
		next.ServeHTTP(recorder, r)
	})
}

// growStack makes the stack of the goroutine large enough for a usual request. Go makes a
// stack larger by copying it. It is cheaper to do this once, before the calls are deep.
//
//go:noinline
func growStack() {
	var frame [12 << 10]byte
	runtime.KeepAlive(&frame)
}

// A statusRecorder is a response writer that remembers the status of the answer.
type statusRecorder struct {
	http.ResponseWriter
	status int    // 0 before the answer begins
	logEnd func() // logs the request, or is nil
}

// end logs the request, unless takeEnd was called.
func (w *statusRecorder) end() {
	if w.logEnd != nil {
		w.logEnd()
	}
}

// takeEnd returns a function that logs the request of an answer. The caller must call it when
// the answer has ended, because the answer goes on after the handler.
func takeEnd(w http.ResponseWriter) func() {
	recorder, ok := w.(*statusRecorder)
	if !ok || recorder.logEnd == nil {
		return func() {}
	}
	end := recorder.logEnd
	recorder.logEnd = nil
	return end
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
