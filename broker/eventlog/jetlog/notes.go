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

// notes hold the data that a broker keeps about an external log in its data
// directory. The zero value means that there are no notes.
type notes struct {
	// Log is the log's first epoch, which never changes.
	Log string `json:"log"`
	// Epoch is the last epoch of the log that the broker used.
	Epoch string `json:"epoch"`
	// Head is a number that the log has reached.
	Head uint64 `json:"head"`
}

// notesFile is the name of the file with the notes in the data directory.
const notesFile = "nats.json"

// readNotes reads the broker's notes. It returns the zero value when the log is
// embedded, or when there is no directory or no file.
func readNotes(c Config) (n notes, err error) {
	if c.URL == "" || c.Dir == "" {
		return n, nil
	}
	path := filepath.Join(c.Dir, notesFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, datadir.Explain(path, err)
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return n, fmt.Errorf("%s is damaged: %w; remove it and start once with --new-epoch", path, err)
	}
	return n, nil
}

// writeNotes stores the broker's notes. It does nothing when the log is embedded
// or there is no directory.
func writeNotes(c Config, n notes) error {
	if c.URL == "" || c.Dir == "" {
		return nil
	}
	raw, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("jetlog: %w", err)
	}
	return datadir.Replace(filepath.Join(c.Dir, notesFile), append(raw, '\n'))
}

// contradictedBy returns the reason why a log lacks records that this broker has
// seen in it, or "". It returns "" for a log with another first epoch, because
// that is another log.
func (n notes) contradictedBy(first string, r epochRecord, last uint64) string {
	switch {
	case n.Log != first:
		return ""
	case n.Epoch == r.Epoch && last < n.Head:
		return fmt.Sprintf("the log ends at %d, and this broker has seen %d: it was put back from a backup",
			last, n.Head)
	case !r.descendsFrom(n.Epoch):
		return fmt.Sprintf("the log has the epoch %s, and this broker has used %s since: it was put back from a backup",
			r.Epoch, n.Epoch)
	}
	return ""
}

// ErrForeign means that the log belongs to another installation.
var ErrForeign = errors.New("the log belongs to another installation")

// checkOwner returns ErrForeign for the log of another installation. It accepts
// any owner when the notes say that the broker has used this log before, because
// the key of the installation may have changed since.
func (l *Log) checkOwner(r epochRecord, n notes) error {
	if l.config.Owner == "" || r.Owner == "" || r.Owner == l.config.Owner || n.Log == l.link.firstEpoch {
		return nil
	}
	return fmt.Errorf("%w: the stream %s at %s is used by brokers with another token.key. "+
		"For an installation of its own, give this one names of its own by --nats-prefix. "+
		"To join theirs, copy their token.key into %s",
		ErrForeign, l.config.streamName(), l.link.conn.ConnectedUrlRedacted(), l.config.Dir)
}
