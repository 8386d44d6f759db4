package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/event"
)

// A key is stored once, and another content under the same key is a conflict.
func ExampleLog_append() {
	ctx := context.Background()
	var log eventlog.Log = memlog.New("abcdefgh", time.Hour)
	defer log.Close()
	entry := eventlog.Entry{
		Type:    event.TypeSyncProgress,
		Subject: "sync/nightly",
		Key:     "erp-1",
		Digest:  "5 percent",
		Body:    []byte(`{"progress":5}`),
	}
	for range 2 {
		ack, err := log.Append(ctx, entry)
		if err != nil {
			panic(err)
		}
		fmt.Printf("record %d, duplicate: %t\n", ack.Seq, ack.Duplicate)
	}
	entry.Digest = "6 percent"
	_, err := log.Append(ctx, entry)
	fmt.Println(errors.Is(err, eventlog.ErrConflict))

	// Output:
	// record 1, duplicate: false
	// record 1, duplicate: true
	// true
}

// Read returns the log page by page. Each page begins after the place where the
// page before it ended.
func ExampleLog_read() {
	ctx := context.Background()
	var log eventlog.Log = memlog.New("abcdefgh", time.Hour)
	defer log.Close()
	for i := range 5 {
		_, err := log.Append(ctx, eventlog.Entry{
			Type:    event.TypeRentalStatusUpdated,
			Subject: fmt.Sprintf("rental/%d", i%2),
			Key:     fmt.Sprint(i),
		})
		if err != nil {
			panic(err)
		}
	}
	selection := eventlog.Selection{Subjects: []string{"rental/0"}}
	place := uint64(0) // before the first record
	for {
		page, err := log.Read(ctx, place, 2, selection)
		if err != nil {
			panic(err)
		}
		if len(page.Records) == 0 {
			break
		}
		for _, record := range page.Records {
			fmt.Println(record.Seq, record.Subject)
		}
		place = page.Through
	}

	// Output:
	// 1 rental/0
	// 3 rental/0
	// 5 rental/0
}

// Tail waits for new records until its context ends.
func ExampleLog_tail() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var log eventlog.Log = memlog.New("abcdefgh", time.Hour)
	defer log.Close()
	_, err := log.Append(ctx, eventlog.Entry{Type: event.TypeSyncProgress, Subject: "sync/nightly", Key: "1"})
	if err != nil {
		panic(err)
	}
	err = log.Tail(ctx, 0, func(r eventlog.Record) {
		fmt.Println(r.Seq, r.Type)
		cancel() // a real caller continues
	})
	fmt.Println(err)

	// Output:
	// 1 sync_progress
	// <nil>
}
