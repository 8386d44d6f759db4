package httpapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// A rawStream is a stream over a TCP connection of its own.
type rawStream struct {
	*testing.T
	conn  *net.TCPConn
	body  *bufio.Reader // without chunks
	d     wire.Decoder
	ready []wire.Frame
}

// rawStream opens a stream with a query, such as "?after=oldest".
func (s *testBroker) rawStream(query, bearer string) *rawStream {
	s.Helper()
	c, r := s.rawRequest("GET /api/sse" + query + " HTTP/1.1\nHost: localhost\n" + bearer + "\n\n")
	answer, err := http.ReadResponse(r, nil)
	require.NoError(s, err)
	require.Equal(s, 200, answer.StatusCode)
	return &rawStream{T: s.T, conn: c.(*net.TCPConn), body: bufio.NewReader(answer.Body)}
}

// read returns the next frame, or the error of the connection.
func (r *rawStream) read() (wire.Frame, error) {
	for len(r.ready) == 0 {
		line, err := r.body.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if err := r.d.Feed(line, func(m wire.Message) {
			f, err := wire.ParseMessage(m)
			require.NoError(r, err, "not a whole frame")
			r.ready = append(r.ready, f)
		}); err != nil {
			return nil, err
		}
	}
	f := r.ready[0]
	r.ready = r.ready[1:]
	return f, nil
}

// next returns the next frame.
func (r *rawStream) next() wire.Frame {
	r.Helper()
	f, err := r.read()
	require.NoError(r, err)
	return f
}

// rest reads to the end, and returns the numbers of the events, the goodbye or nil, and the
// end of the body: nil if the body is complete.
func (r *rawStream) rest() (seqs []uint64, bye *wire.Bye, err error) {
	for {
		f, err := r.read()
		if errors.Is(err, io.EOF) {
			return seqs, bye, nil
		}
		if err != nil {
			return seqs, bye, err
		}
		switch f := f.(type) {
		case *wire.Event:
			seqs = append(seqs, f.Cursor.Seq)
		case *wire.Bye:
			bye = f
		}
	}
}

// requireEvents reads the events from one number to another, without a hole.
func (r *rawStream) requireEvents(from, to uint64) {
	r.Helper()
	for want := from; want <= to; {
		if e, ok := r.next().(*wire.Event); ok {
			require.Equal(r, want, e.Cursor.Seq)
			want++
		}
	}
}

// mixedEntry is the i-th of many events, of which readers see different ones. Employee 3 and
// user 3 see some as a person.
func mixedEntry(t *testing.T, i int, notes string) eventlog.Entry {
	t.Helper()
	bodies := []string{
		`{"rental_id":%[2]d,"status":"active","customer":"Ann","notes":"` + notes + `"}`,
		`{"rental_id":%[2]d,"amount":5,"payment_method":"cash"}`,
		`{"timesheet_id":%[1]d,"employee_id":%[2]d,"status":"draft","date":"2026-11-23"}`,
		`{"sync_id":"s%[2]d","progress":5,"started_by":%[2]d}`,
	}
	types := []event.Type{event.TypeRentalStatusUpdated, event.TypePaymentReceived, event.TypeTimesheetUpdated,
		event.TypeSyncProgress}
	subjects := []string{"rental", "payment", "timesheet", "sync"}
	n := i % len(types)
	const format = `{"type":%q,"id":"m%d","source":"/erp","severity":"info","time":%q,"actor":"service:erp","data":%s}`
	body := fmt.Sprintf(format, types[n], i, time.Now().UTC().Format(time.RFC3339), fmt.Sprintf(bodies[n], i+1, 1+i%7))
	return eventlog.Entry{Type: types[n], Subject: fmt.Sprintf("%s/%d", subjects[n], 1+i%7), Key: fmt.Sprint("m", i),
		Body: []byte(body)}
}

// expected returns the numbers of the events after a cursor that a reader must receive,
// computed in the simplest way.
func (s *testBroker) expected(g access.Grant, f filter.Filter, after, through uint64) (seqs []uint64) {
	s.Helper()
	for after < through {
		page, err := s.log.Read(s.Context(), after, 1000, eventlog.Selection{})
		require.NoError(s, err)
		for _, r := range page.Records {
			e, err := hub.Decode(r, "k")
			require.NoError(s, err)
			if _, ok := access.Redact(g, e); ok && f.Match(e) && r.Seq <= through {
				seqs = append(seqs, r.Seq)
			}
		}
		after = page.Through
	}
	return seqs
}
