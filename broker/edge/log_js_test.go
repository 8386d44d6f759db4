package edge

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/logtest"
	"github.com/snd-rental/yardline/broker/eventlog/sqllog"
	"github.com/snd-rental/yardline/shared/event"
)

// TestMain runs the tests of this file inside a Durable Object, in place of the program, because
// its storage exists only there. See package edge of e2e.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.v", "true"); err != nil { // because an object has no command line
		panic(err)
	}
	os.Exit(m.Run())
}

var storage = db{js.Global().Get("context").Get("ctx").Get("storage").Get("sql")}

// open opens the log in the object's storage.
func open(t *testing.T) eventlog.Log {
	t.Helper()
	log, err := sqllog.Open(storage, time.Hour)
	require.NoError(t, err)
	return log
}

// openEmpty removes the log from the storage and opens a new one.
func openEmpty(t *testing.T) eventlog.Log {
	t.Helper()
	for _, table := range []string{"log", "events", "ids", "store"} {
		_, err := storage.Exec(`DROP TABLE IF EXISTS ` + table)
		require.NoError(t, err)
	}
	return open(t)
}

// A selection may have more subjects than a statement of the storage may have parameters.
func TestReadSelectsByManySubjects(t *testing.T) {
	log := openEmpty(t)
	selection := eventlog.Selection{Subjects: []string{"crane/*"}}
	var want []uint64
	for i := range 300 {
		subject := fmt.Sprintf("rental/%d", i)
		if i%10 == 0 {
			subject = fmt.Sprintf("crane/%d", i)
		}
		ack, err := log.Append(t.Context(), eventlog.Entry{
			Type:    event.TypeSyncProgress,
			Subject: subject,
			Key:     subject,
			Body:    []byte("{}"),
		})
		require.NoError(t, err)
		if i%10 == 0 || i < 100 {
			want = append(want, ack.Seq)
		}
	}
	for i := range 99 {
		selection.Subjects = append(selection.Subjects, fmt.Sprintf("rental/%d", i))
	}
	want = slices.DeleteFunc(want, func(seq uint64) bool { return seq == 100 }) // rental/99
	var got []uint64
	for after := uint64(0); after < 300; {
		page, err := log.Read(t.Context(), after, 7, selection)
		require.NoError(t, err)
		require.Greater(t, page.Through, after)
		for _, r := range page.Records {
			got = append(got, r.Seq)
		}
		after = page.Through
	}
	require.Equal(t, want, got)
}

func TestLogKeepsItsContractInTheObjectsStorage(t *testing.T) {
	logtest.Run(t, logtest.Opener{
		Open: openEmpty,
		Reopen: func(t *testing.T, log eventlog.Log) eventlog.Log {
			require.NoError(t, log.Close())
			return open(t)
		},
	})
}
