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

// startEmbedded starts a NATS server in this process that listens on no socket.
func startEmbedded(dir string) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName:             "yardline",
		DontListen:             true,
		JetStream:              true,
		StoreDir:               dir,
		SyncAlways:             true, // the default loses acknowledged events on a power cut
		NoSigs:                 true,
		NoLog:                  true,
		DisableJetStreamBanner: true,
		MaxPayload:             8 << 20,  // room for parts of checkpoints; events are smaller
		JetStreamMaxMemory:     64 << 20, // for consumers, which are kept in memory
		JetStreamMaxStore:      1 << 50,  // a limit only: the server allocates nothing for it
	})
	if err != nil {
		return nil, fmt.Errorf("jetlog: %w", err)
	}
	// Start returns no error. It reports a failure only to the logger.
	var fatal fatalLogger
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

// lockDir locks the data directory against a second process. Two servers on one
// directory would both acknowledge records, and one of them would lose its own.
// The lock ends with the process, and its file stays.
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

// checkHealth returns an error when the server could not recover all that it
// has stored. s is nil for an external server, which counts as healthy because
// it cannot be asked.
//
// The server itself waits only a millisecond for its own start, which is too
// short on a busy machine. checkHealth therefore asks again for up to ten
// seconds while the start is all that the server lacks.
func checkHealth(s *server.Server) error {
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

// stopEmbedded stops an embedded server and waits for its end.
func stopEmbedded(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// A fatalLogger keeps the first fatal message of the server, and ignores all
// others. All methods may be called concurrently.
type fatalLogger struct {
	mu    sync.Mutex // guards first
	first error
}

// err returns the first fatal message, or nil.
func (l *fatalLogger) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// Fatalf implements server.Logger.
func (l *fatalLogger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = fmt.Errorf("jetlog: "+format, v...)
	}
}

// Noticef implements server.Logger.
func (*fatalLogger) Noticef(string, ...any) {}

// Warnf implements server.Logger.
func (*fatalLogger) Warnf(string, ...any) {}

// Errorf implements server.Logger.
func (*fatalLogger) Errorf(string, ...any) {}

// Debugf implements server.Logger.
func (*fatalLogger) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (*fatalLogger) Tracef(string, ...any) {}
