package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
)

// tailTest is a run of follow on a broker in memory, in virtual time.
type tailTest struct {
	t         *testing.T
	b         *fake.Broker
	out, errs output
	ended     chan error // has the error of follow when it has returned
}

// startTail starts follow with a value of --on-gap.
func startTail(t *testing.T, onGap string) *tailTest {
	t.Helper()
	grant := access.Grant{User: "erp", Roles: []access.Role{access.Manager}}
	x := &tailTest{t: t, b: fake.New(grant), ended: make(chan error, 1)}
	o := wasmclient.Options{Transport: x.b, Ladder: []conn.Transport{conn.SSE}}
	go func() {
		x.ended <- follow(t.Context(), o, onGap, standardStreams{strings.NewReader(""), &x.out, &x.errs})
	}()
	synctest.Wait()
	return x
}

// publish publishes an event, and waits until follow has printed it.
func (x *tailTest) publish(rental int64) {
	e, err := event.RentalStatusUpdated(rental, "active", "")
	require.NoError(x.t, err)
	x.b.Publish(e)
	synctest.Wait()
}

// A proxy answers for a while in the broker's place. tail must not end, and must miss no
// event.
func TestTailReconnectsAfterAProxyAnswered(t *testing.T) {
	for code, answer := range map[string]wasmclient.Response{
		"http_401":       {Status: 401, ContentType: "text/html", Body: []byte("<html>")},
		"http_403":       {Status: 403, ContentType: "text/html", Body: []byte("<html>")},
		"http_204":       {Status: 204},
		"http_503":       {Status: 503, ContentType: "text/html"},
		"not_a_stream":   {Status: 200, ContentType: "text/html", Body: []byte("<html>")},
		"login_redirect": {Status: 302, Location: "https://login.example/"},
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := startTail(t, gapNote)
				x.publish(1)
				x.b.Refuse(&answer)
				x.b.Cut()
				time.Sleep(time.Minute) // virtual
				x.publish(2)
				require.Contains(t, x.errs.String(), "yardline: reconnecting: "+code+" (")
				x.b.Refuse(nil)
				time.Sleep(time.Minute)
				require.Equal(t, 2, strings.Count(x.out.String(), "\n"), "%s", &x.errs)
				require.Empty(t, x.ended)
				x.b.Refuse(fake.Refusal(403, "forbidden"))
				x.b.Cut()
				require.EqualError(t, <-x.ended, "the broker refused the stream: forbidden")
			})
		})
	}
}

// After a restore under a new epoch events may be missing. tail must report that as the
// flag --on-gap asks.
func TestTailReportsAGapAfterARestore(t *testing.T) {
	for _, onGap := range []string{gapNote, gapLine, gapStop} {
		t.Run(onGap, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := startTail(t, onGap)
				x.publish(1)
				x.publish(2)
				x.b.Replace("z")
				x.b.Cut()
				time.Sleep(time.Minute) // virtual
				x.publish(3)
				require.Contains(t, x.errs.String(), "up to z-0 can no longer be had")
				lines := strings.Split(strings.TrimSpace(x.out.String()), "\n")
				switch onGap {
				case gapNote:
					require.Len(t, lines, 3)
				case gapLine:
					require.Len(t, lines, 4)
					require.Regexp(t, `^{"gap":{"from":"k-.","to":"z-0"}}$`, lines[2])
				case gapStop:
					require.Len(t, lines, 2)
					require.ErrorContains(t, <-x.ended, "stopped at a gap")
					return
				}
				x.b.Refuse(fake.Refusal(401, "expired"))
				x.b.Cut()
				require.ErrorContains(t, <-x.ended, "expired")
			})
		})
	}
}

func TestPublishReportsAnAnswerThatIsNotTheBrokers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved/api/sse":
			http.Redirect(w, r, "https://yard.example/api/sse", http.StatusMovedPermanently)
		case "/closed/api/sse":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.Header().Set("Content-Type", "text/html")
		}
	}))
	defer server.Close()
	for path, message := range map[string]string{
		"/moved":  "It leads to https://yard.example/api/sse; is --url",
		"/closed": "The answer did not come from the broker (http_403, HTTP 403); is --url",
		"":        `yardline: the answer did not come from a broker, but "text/html"; is --url`,
	} {
		status, _, stderr := yardline(t.Context(), "", "publish", "--url", server.URL+path, "--token", "x",
			"sync_progress", "progress=1")
		require.Equal(t, exitFailed, status)
		require.Contains(t, stderr, message)
	}
}
