package jetlog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// maxFilters is how many filtered requests one read may take: as many as a
// filter of the API may name subjects. Beyond it one unfiltered read is made.
const maxFilters = 100

// minBatch is the least that is asked for by each of many filters.
const minBatch = 8

// maxPageBytes bounds what the server sends for one request, well under the
// limit of a pending subscription.
const maxPageBytes = 4 << 20

// Read implements eventlog.Log by batched direct gets, one for each NATS
// subject that the selection comes to.
func (l *Log) Read(ctx context.Context, after uint64, limit int, s eventlog.Selection) (eventlog.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	before, err := l.Bounds(ctx)
	if err != nil {
		return eventlog.Page{}, err
	}
	if after+1 < before.First {
		return eventlog.Page{}, eventlog.ErrGone
	}
	page := eventlog.Page{Through: max(after, before.Last)}
	if page.Through == after {
		return page, nil
	}
	filters := l.c.natsFilters(s)
	if len(filters) > maxFilters {
		filters = []string{""}
	}
	batch := limit
	if len(filters) > 1 {
		batch = min(limit, max(minBatch, 2*limit/len(filters)))
	}
	link := l.now()
	for _, f := range filters {
		records, pending, err := link.directGet(ctx, f, after, batch)
		if err != nil {
			return eventlog.Page{}, err
		}
		last := after
		if len(records) > 0 {
			last = records[len(records)-1].Seq
		}
		// In a cluster any replica may answer, also one that lags: what it does
		// not have yet would be a hole. Its leader knows whether there is more.
		if l.c.URL != "" && pending == 0 && last < before.Last {
			next, err := link.askLeader(ctx, f, last)
			if err != nil {
				return eventlog.Page{}, err
			}
			if next != nil && next.Seq <= before.Last {
				records, last, pending = append(records, *next), next.Seq, 1
			}
		}
		// What another request returns beyond the last of an unfinished one
		// would leave a hole, and so would a record newer than the bounds.
		if pending > 0 && len(records) > 0 {
			page.Through = min(page.Through, last)
		}
		page.Records = append(page.Records, records...)
	}
	page.Records = slices.DeleteFunc(page.Records, func(r eventlog.Record) bool {
		return r.Seq > page.Through || !s.Match(r)
	})
	slices.SortFunc(page.Records, func(a, b eventlog.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	page.Records = slices.CompactFunc(page.Records, func(a, b eventlog.Record) bool { return a.Seq == b.Seq })
	if len(page.Records) > limit {
		page.Records = page.Records[:limit]
		page.Through = page.Records[limit-1].Seq
	}
	// The oldest records may have been purged while they were read.
	if now, err := l.Bounds(ctx); err != nil {
		return eventlog.Page{}, err
	} else if after+1 < now.First {
		return eventlog.Page{}, eventlog.ErrGone
	}
	return page, nil
}

// natsFilters are NATS subjects that hold all of the selection: by its subjects
// where it has any, which are few records each, else by its types. What they
// hold beyond it is left out afterwards.
func (c Config) natsFilters(s eventlog.Selection) (filters []string) {
	for _, subject := range s.Subjects {
		kind, id, _ := strings.Cut(subject, "/")
		if id == "*" {
			filters = append(filters, c.root()+"*."+token(kind)+".*")
		} else {
			filters = append(filters, c.root()+"*."+token(kind)+"."+token(id))
		}
	}
	if len(filters) > 0 {
		return filters
	}
	for _, t := range s.Types {
		filters = append(filters, c.root()+string(t)+".>")
	}
	if len(filters) == 0 {
		return []string{""}
	}
	return filters
}

// directGet asks for at most limit messages after a sequence. pending is how
// many more match. The protocol is NATS's ADR-31: messages, then an empty one
// with status 204; 404 alone where nothing matches.
func (l *link) directGet(ctx context.Context, filter string, after uint64, limit int) (records []eventlog.Record, pending uint64, err error) {
	request, _ := json.Marshal(map[string]any{ // plain values always marshal
		"seq": after + 1, "batch": limit, "max_bytes": maxPageBytes, "next_by_subj": filter})
	inbox := l.conn.NewInbox()
	sub, err := l.conn.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, unavailable(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only with the connection
	if err := l.conn.PublishRequest("$JS.API.DIRECT.GET."+l.c.stream(), inbox, request); err != nil {
		return nil, 0, unavailable(err)
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, 0, unavailable(err)
		}
		if m.Header.Get("Nats-Sequence") != "" {
			r, err := l.c.directRecord(m)
			if err != nil {
				return nil, 0, err
			}
			records = append(records, r)
			continue
		}
		switch status := m.Header.Get("Status"); status {
		case "204":
			pending, err := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
			return records, pending, err
		case "404":
			return nil, 0, nil
		default:
			return nil, 0, unavailable(errors.New("direct get: " + status + " " + m.Header.Get("Description")))
		}
	}
}

// askLeader returns the first message after a sequence that matches, nil where
// there is none, as the stream's leader knows it. While the cluster elects a
// leader it asks again, until ctx ends.
func (l *link) askLeader(ctx context.Context, filter string, after uint64) (*eventlog.Record, error) {
	if filter == "" {
		filter = ">"
	}
	request, _ := json.Marshal(map[string]any{"seq": after + 1, "next_by_subj": filter}) // plain values always marshal
	for {
		m, err := l.conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+l.c.stream(), request)
		if err != nil {
			return nil, unavailable(err)
		}
		var answer leaderAnswer
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return nil, fmt.Errorf("jetlog: the leader's answer: %w", err)
		}
		switch {
		case answer.Error == nil:
			typ, subject := l.c.parseSubject(answer.Message.Subject)
			header, _ := nats.DecodeHeadersMsg(answer.Message.Hdrs) // a foreign record has none of ours
			return &eventlog.Record{Seq: answer.Message.Seq, Type: typ, Subject: subject,
				Stored: answer.Message.Time, Body: answer.Message.Data,
				Key: header.Get(nats.MsgIdHdr), Digest: header.Get(digestHeader)}, nil
		case answer.Error.Code == http.StatusNotFound:
			return nil, nil
		case answer.Error.Code != http.StatusServiceUnavailable || !pause(ctx):
			return nil, unavailable(fmt.Errorf("the leader refused: %s", m.Data))
		}
	}
}

// A leaderAnswer is the leader's answer to a request for a message.
type leaderAnswer struct {
	Error   *struct{ Code int }
	Message struct {
		Subject string
		Seq     uint64
		Hdrs    []byte
		Data    []byte
		Time    time.Time
	}
}

func (c Config) directRecord(m *nats.Msg) (eventlog.Record, error) {
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return eventlog.Record{}, fmt.Errorf("jetlog: sequence: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return eventlog.Record{}, fmt.Errorf("jetlog: time: %w", err)
	}
	typ, subject := c.parseSubject(m.Header.Get("Nats-Subject"))
	return eventlog.Record{Seq: seq, Type: typ, Subject: subject, Stored: stored, Body: m.Data,
		Key: m.Header.Get(nats.MsgIdHdr), Digest: m.Header.Get(digestHeader)}, nil
}
