package edge

import (
	"flag"
	"os"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/logtest"
	"github.com/snd-rental/yardline/broker/eventlog/sqllog"
)

// These tests run inside of a Durable Object, in place of the program: see
// TestEdgeLog of e2e. Nothing else has its storage.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.v", "true"); err != nil { // an object has no arguments
		panic(err)
	}
	os.Exit(m.Run())
}

func TestLog(t *testing.T) {
	storage := db{js.Global().Get("context").Get("ctx").Get("storage").Get("sql")}
	open := func(t *testing.T) eventlog.Log {
		log, err := sqllog.Open(storage, time.Hour)
		require.NoError(t, err)
		return log
	}
	logtest.Run(t, logtest.Opener{
		Open: func(t *testing.T) eventlog.Log {
			for _, table := range []string{"log", "events", "ids", "store"} {
				_, err := storage.Exec(`DROP TABLE IF EXISTS ` + table)
				require.NoError(t, err)
			}
			return open(t)
		},
		Reopen: func(t *testing.T, log eventlog.Log) eventlog.Log {
			require.NoError(t, log.Close())
			return open(t)
		},
	})
}
