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

// maxFilters is the number of filtered requests for one Read. It is the number
// of subjects that a filter of the API may name. For a selection with more
// filters Read makes one request without a filter.
const maxFilters = 100

// minBatchPerFilter is the least number of messages that Read requests for each
// of several filters.
const minBatchPerFilter = 8

// maxPageBytes is the largest number of bytes that the server sends for one
// request. It is well below the client's limit for pending messages.
const maxPageBytes = 4 << 20

// Read implements eventlog.Log. It makes one batched direct get for each filter
// of the selection.
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
	filters := l.config.natsFilters(s)
	if len(filters) > maxFilters {
		filters = []string{""}
	}
	batch := limit
	if len(filters) > 1 {
		batch = min(limit, max(minBatchPerFilter, 2*limit/len(filters)))
	}
	link := l.currentLink()
	for _, f := range filters {
		records, more, err := link.readFiltered(ctx, f, after, before.Last, batch)
		if err != nil {
			return eventlog.Page{}, err
		}
		// Records of other filters after an unfinished one would leave a hole,
		// and so would records after the bounds.
		if more && len(records) > 0 {
			page.Through = min(page.Through, records[len(records)-1].Seq)
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
	// Another call may have purged the oldest records in the meantime.
	if now, err := l.Bounds(ctx); err != nil {
		return eventlog.Page{}, err
	} else if after+1 < now.First {
		return eventlog.Page{}, eventlog.ErrGone
	}
	return page, nil
}

// readFiltered returns at most limit records after a place that match a filter.
// head is the number of the newest record. more is true when the log may have
// further records that match.
func (l *link) readFiltered(
	ctx context.Context, filter string, after, head uint64, limit int,
) (records []eventlog.Record, more bool, err error) {
	records, pending, err := l.directGet(ctx, filter, after, limit)
	if err != nil {
		return nil, false, err
	}
	last := after
	if len(records) > 0 {
		last = records[len(records)-1].Seq
	}
	// In a cluster any replica may answer, also one that lags. The messages
	// that it lacks would leave a hole, so the leader must return the next one.
	if l.config.URL != "" && pending == 0 && last < head {
		next, err := l.askLeader(ctx, filter, last)
		if err != nil {
			return nil, false, err
		}
		if next != nil && next.Seq <= head {
			return append(records, *next), true, nil
		}
	}
	return records, pending > 0, nil
}

// natsFilters returns NATS subjects that match all selected records. They come
// from the subjects of the selection if it has any, because a subject has few
// records, and otherwise from its types. They may match more records, which the
// caller must drop.
func (c Config) natsFilters(s eventlog.Selection) (filters []string) {
	for _, subject := range s.Subjects {
		kind, id, _ := strings.Cut(subject, "/")
		if id == "*" {
			filters = append(filters, c.subjectRoot()+"*."+token(kind)+".*")
		} else {
			filters = append(filters, c.subjectRoot()+"*."+token(kind)+"."+token(id))
		}
	}
	if len(filters) > 0 {
		return filters
	}
	for _, t := range s.Types {
		filters = append(filters, c.subjectRoot()+string(t)+".>")
	}
	if len(filters) == 0 {
		return []string{""}
	}
	return filters
}

// directGet returns at most limit records after a place that match a filter.
// pending is the number of further records that match. The protocol is NATS's
// ADR-31: the answer consists of messages and then an empty one with status 204,
// or of status 404 alone when nothing matches.
func (l *link) directGet(
	ctx context.Context, filter string, after uint64, limit int,
) (records []eventlog.Record, pending uint64, err error) {
	request, _ := json.Marshal(map[string]any{ // plain values always marshal
		"seq":          after + 1,
		"batch":        limit,
		"max_bytes":    maxPageBytes,
		"next_by_subj": filter,
	})
	inbox := l.conn.NewInbox()
	sub, err := l.conn.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, unavailable(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only with the connection
	if err := l.conn.PublishRequest("$JS.API.DIRECT.GET."+l.config.streamName(), inbox, request); err != nil {
		return nil, 0, unavailable(err)
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, 0, unavailable(err)
		}
		if m.Header.Get("Nats-Sequence") != "" {
			r, err := l.config.directRecord(m)
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

// askLeader returns the first record after a place that matches a filter, as the
// stream's leader knows it. It returns nil when there is none. While the cluster
// elects a leader, askLeader repeats its request until ctx ends.
func (l *link) askLeader(ctx context.Context, filter string, after uint64) (*eventlog.Record, error) {
	if filter == "" {
		filter = ">"
	}
	request, _ := json.Marshal(map[string]any{"seq": after + 1, "next_by_subj": filter}) // plain values always marshal
	for {
		m, err := l.conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+l.config.streamName(), request)
		if err != nil {
			return nil, unavailable(err)
		}
		var answer leaderAnswer
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return nil, fmt.Errorf("jetlog: the leader's answer: %w", err)
		}
		switch {
		case answer.Error == nil:
			typ, subject := l.config.parseSubject(answer.Message.Subject)
			header, _ := nats.DecodeHeadersMsg(answer.Message.Hdrs) // another program's message may have none
			return &eventlog.Record{
				Seq:     answer.Message.Seq,
				Type:    typ,
				Subject: subject,
				Stored:  answer.Message.Time,
				Body:    answer.Message.Data,
				Key:     header.Get(nats.MsgIdHdr),
				Digest:  header.Get(digestHeader),
			}, nil
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

// directRecord returns the record that a message of a direct get holds.
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
	return eventlog.Record{
		Seq:     seq,
		Type:    typ,
		Subject: subject,
		Stored:  stored,
		Body:    m.Data,
		Key:     m.Header.Get(nats.MsgIdHdr),
		Digest:  m.Header.Get(digestHeader),
	}, nil
}
