package jetlog

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/snd-rental/yardline/broker/datadir"
)

// startEmbedded starts a NATS server in this process that listens nowhere.
func startEmbedded(dir string) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "yardline", DontListen: true, JetStream: true, StoreDir: dir,
		SyncAlways: true, // the default loses acknowledged events on a power cut
		NoSigs:     true, NoLog: true, DisableJetStreamBanner: true,
		MaxPayload:         8 << 20,  // of the checkpoint; events are small
		JetStreamMaxMemory: 64 << 20, // consumers live in memory
		JetStreamMaxStore:  1 << 50,  // a ceiling: nothing is allocated
	})
	if err != nil {
		return nil, fmt.Errorf("jetlog: %w", err)
	}
	// Start reports a failure to the log alone, and says it is enabled.
	var fatal fatalLog
	s.SetLoggerV2(&fatal, false, false, false)
	s.Start()
	if err := fatal.err(); err != nil {
		stopEmbedded(s)
		return nil, err
	}
	if !s.ReadyForConnections(10 * time.Second) {
		stopEmbedded(s)
		return nil, errors.New("jetlog: the embedded server did not start within 10 s")
	}
	return s, nil
}

// lockDir keeps a second process away: two servers on one directory both
// acknowledge, and one of them loses what it did. The lock goes with the
// process; its file stays.
func lockDir(dir string) (*os.File, error) {
	if err := datadir.Make(dir); err != nil {
		return nil, err
	}
	if err := datadir.FixOwners(dir); err != nil {
		return nil, datadir.Explain(dir, err)
	}
	if err := datadir.CheckLogAccess(dir); err != nil {
		return nil, err
	}
	f, err := datadir.Lock(filepath.Join(dir, datadir.LockFile), false)
	if errors.Is(err, datadir.ErrLocked) {
		return nil, fmt.Errorf("cannot use the data directory %s: another broker is using it", dir)
	}
	return f, err
}

// healthy tells whether everything that was stored could be recovered; an
// external server cannot be asked and counts as healthy. The server itself
// waits only a millisecond for its own readiness, which is too short on a busy
// machine, so healthy asks again for up to ten seconds while that is all that
// the server lacks.
func healthy(s *server.Server) error {
	if s == nil {
		return nil
	}
	for attempt := 0; ; attempt++ {
		h := s.Healthz(nil)
		if h.StatusCode == http.StatusOK {
			return nil
		}
		if !strings.HasPrefix(h.Error, "failed to be ready") || attempt == 10 {
			return errors.New(h.Error)
		}
		s.ReadyForConnections(time.Second)
	}
}

func stopEmbedded(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// fatalLog keeps the first fatal message of the server. The methods may be
// called from any goroutine.
type fatalLog struct {
	mu    sync.Mutex
	first error
}

func (l *fatalLog) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// Fatalf implements server.Logger.
func (l *fatalLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = fmt.Errorf("jetlog: "+format, v...)
	}
}

// Noticef implements server.Logger.
func (*fatalLog) Noticef(string, ...any) {}

// Warnf implements server.Logger.
func (*fatalLog) Warnf(string, ...any) {}

// Errorf implements server.Logger.
func (*fatalLog) Errorf(string, ...any) {}

// Debugf implements server.Logger.
func (*fatalLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (*fatalLog) Tracef(string, ...any) {}
