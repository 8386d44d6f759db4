package eventlog

import (
	"context"
	"time"
)

// SeqBefore returns the sequence of the newest record that was stored before
// a time, or the one before the oldest kept where there is none. It reads a
// few records only.
func SeqBefore(ctx context.Context, log Log, at time.Time) (uint64, error) {
	b, err := log.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	low, high := b.First, b.Last+1 // the answer is the one before low when they meet
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

// ReadBefore returns the newest selected records before a place, at most
// limit, oldest first. from is where it stopped: every selected record between
// from and before, both excluded, is returned. It reads in windows that grow
// backwards, each a filtered read, so rare records are found without a scan.
func ReadBefore(ctx context.Context, log Log, before uint64, limit int, s Selection) (records []Record, from uint64, err error) {
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

// readBetween returns the selected records between two places, both excluded.
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
