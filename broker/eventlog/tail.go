package eventlog

import "context"

// tailPage is the number of records that TailByReading reads at once.
const tailPage = 256

// TailByReading implements Log.Tail by a function like Log.Read, for a log that
// only this process writes to. growth returns a channel that is closed when the
// log gets another record.
func TailByReading(
	ctx context.Context,
	read func(ctx context.Context, after uint64, limit int, s Selection) (Page, error),
	after uint64, growth func() <-chan struct{}, handle func(Record),
) error {
	for ctx.Err() == nil {
		// growth is called before read, so that no record comes in between
		// unnoticed.
		grown := growth()
		page, err := read(ctx, after, tailPage, Selection{})
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, r := range page.Records {
			if ctx.Err() != nil {
				return nil
			}
			handle(r)
			after = r.Seq
		}
		if len(page.Records) == 0 {
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
	return nil
}
