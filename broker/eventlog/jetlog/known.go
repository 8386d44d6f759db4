package jetlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/snd-rental/yardline/broker/datadir"
)

// known holds a broker's notes about an external log, which it keeps in its own
// data directory. The zero value has no notes.
type known struct {
	Log   string `json:"log"`   // the log's first epoch, which never changes
	Epoch string `json:"epoch"` // the last one that the broker used
	Head  uint64 `json:"head"`  // a sequence that the log has reached
}

// knownFile is the name of the file with the notes in the data directory.
const knownFile = "nats.json"

// readKnown reads the broker's notes. Without a directory or a file it returns
// the zero value.
func readKnown(c Config) (k known, err error) {
	if c.URL == "" || c.Dir == "" {
		return k, nil
	}
	path := filepath.Join(c.Dir, knownFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, datadir.Explain(path, err)
	}
	if err := json.Unmarshal(raw, &k); err != nil {
		return k, fmt.Errorf("%s is damaged: %w; remove it and start once with --new-epoch", path, err)
	}
	return k, nil
}

// writeKnown stores the broker's notes.
func writeKnown(c Config, k known) error {
	if c.URL == "" || c.Dir == "" {
		return nil
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("jetlog: %w", err)
	}
	return datadir.Replace(filepath.Join(c.Dir, knownFile), append(raw, '\n'))
}

// contradictedBy returns the reason why a log lacks records that this broker has
// seen in it, or "". A log with another first epoch is another log.
func (k known) contradictedBy(first string, r record, last uint64) string {
	switch {
	case k.Log != first:
		return ""
	case k.Epoch == r.Epoch && last < k.Head:
		return fmt.Sprintf("the log ends at %d, and this broker has seen %d: it was put back from a backup", last,
			k.Head)
	case !r.descendsFrom(k.Epoch):
		return fmt.Sprintf("the log has the epoch %s, and this broker has used %s since: it was put back from a "+
			"backup", r.Epoch, k.Epoch)
	}
	return ""
}

// ErrForeign means that the log belongs to another installation.
var ErrForeign = errors.New("the log belongs to another installation")

// checkOwner refuses the log of another installation. A directory that has used
// the log before may have got a new key since.
func (l *Log) checkOwner(r record, k known) error {
	if l.c.Owner == "" || r.Owner == "" || r.Owner == l.c.Owner || k.Log == l.link.first {
		return nil
	}
	return fmt.Errorf("%w: the stream %s at %s is used by brokers with another token.key. For an installation of "+
		"its own, "+
		"give this one names of its own by --nats-prefix. To join theirs, copy their token.key into %s",
		ErrForeign, l.c.stream(), l.link.conn.ConnectedUrlRedacted(), l.c.Dir)
}
