package eventlog

import "context"

// tailPage is how many records TailByReading reads at once.
const tailPage = 256

// TailByReading is Tail for a log that this process alone writes to. grown
// returns a channel that is closed when another record comes.
func TailByReading(ctx context.Context, log Log, after uint64, grown func() <-chan struct{}, take func(Record)) error {
	for ctx.Err() == nil {
		more := grown() // before it reads: nothing comes in between unnoticed
		page, err := log.Read(ctx, after, tailPage, Selection{})
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, r := range page.Records {
			if ctx.Err() != nil {
				return nil
			}
			take(r)
			after = r.Seq
		}
		if len(page.Records) == 0 {
			select {
			case <-more:
			case <-ctx.Done():
			}
		}
	}
	return nil
}
