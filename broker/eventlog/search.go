package eventlog

import (
	"context"
	"time"
)

// SeqBefore returns the number of the newest record that was stored before a
// time. When there is none it returns the number before the oldest kept record.
// It reads only a few records, because it searches by halving.
func SeqBefore(ctx context.Context, log Log, at time.Time) (uint64, error) {
	b, err := log.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	low, high := b.First, b.Last+1 // when they meet, the answer is low-1
	for low < high {
		middle := low + (high-low)/2
		page, err := log.Read(ctx, middle-1, 1, Selection{})
		if err != nil {
			return 0, err
		}
		if len(page.Records) == 1 && page.Records[0].Stored.Before(at) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low - 1, nil
}

// ReadBefore returns the newest selected records whose numbers are less than
// before, oldest first and at most limit. from is the place where the search
// stopped: ReadBefore returns all selected records between from and before,
// without these two. The error is ErrGone when before is less than the number of
// the oldest kept record.
//
// ReadBefore reads backwards in windows that grow. Each window is a filtered
// read, so that rare records are found without reading all others.
func ReadBefore(
	ctx context.Context, log Log, before uint64, limit int, s Selection,
) (records []Record, from uint64, err error) {
	b, err := log.Bounds(ctx)
	if err != nil {
		return nil, 0, err
	}
	oldest := b.First - 1
	if before <= oldest {
		return nil, oldest, ErrGone
	}
	before = min(before, b.Last+1)
	for window := uint64(limit); ; window *= 4 {
		low := oldest
		if before-1-oldest > window {
			low = before - 1 - window
		}
		found, err := readBetween(ctx, log, low, before, s)
		if err != nil {
			return nil, 0, err
		}
		if records = append(found, records...); len(records) >= limit {
			records = records[len(records)-limit:]
			return records, records[0].Seq - 1, nil
		}
		if low == oldest {
			return records, oldest, nil
		}
		before = low + 1
	}
}

// readBetween returns the selected records between the records low and high,
// without these two.
func readBetween(ctx context.Context, log Log, low, high uint64, s Selection) (records []Record, err error) {
	const page = 512
	for low+1 < high {
		p, err := log.Read(ctx, low, page, s)
		if err != nil {
			return nil, err
		}
		for _, r := range p.Records {
			if r.Seq >= high {
				return records, nil
			}
			records = append(records, r)
		}
		low = p.Through
	}
	return records, nil
}
