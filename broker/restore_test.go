package broker

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/shared/access"
)

// site is a broker that a test starts and stops on one configuration.
type site struct {
	t     *testing.T
	c     Config
	b     *Broker
	token string
	done  chan error
	stop  context.CancelFunc
}

func (s *site) start() {
	s.t.Helper()
	s.c.Listen = "127.0.0.1:0"
	var err error
	s.b, err = New(s.t.Context(), s.c)
	require.NoError(s.t, err)
	g, err := access.NewGrant("erp", "erp", []access.Role{access.Service, access.Manager}, 0)
	require.NoError(s.t, err)
	s.token, err = s.b.CreateToken(g, time.Hour)
	require.NoError(s.t, err)
	ctx, stop := context.WithCancel(s.t.Context())
	s.stop, s.done = stop, make(chan error, 1)
	go func() { s.done <- s.b.Run(ctx) }()
	<-s.b.hub.Ready()
}

func (s *site) end() {
	s.t.Helper()
	s.stop()
	require.NoError(s.t, <-s.done)
	require.NoError(s.t, s.b.Close())
}

// ask sends a request and reads the answer.
func (s *site) ask(method, path, body string, into any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.b.URL()+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	require.Less(s.t, answer.StatusCode, 300)
	require.NoError(s.t, json.NewDecoder(answer.Body).Decode(into))
}

// rent publishes an active rental and returns its cursor.
func (s *site) rent(id string) string {
	s.t.Helper()
	var receipt struct{ Cursor string }
	s.ask("POST", "/api/sse",
		`{"id":"e`+id+`","type":"rental_status_updated","data":{"rental_id":`+id+`,"status":"active"}}`, &receipt)
	return receipt.Cursor
}

type page struct {
	Events []struct{ ID string }
	Gap    *struct{ From, To string }
	Head   string
}

// follows asks for what comes after a cursor.
func (s *site) follows(cursor string) (p page) {
	s.t.Helper()
	s.ask("GET", "/api/events?limit=100&after="+cursor, "", &p)
	return p
}

func (s *site) active() int {
	s.t.Helper()
	var snapshot struct {
		Figures struct {
			Active int `json:"active_rentals"`
		}
	}
	s.ask("GET", "/api/snapshot", "", &snapshot)
	return snapshot.Figures.Active
}

// TestReadersOfARestoredDirectoryAreTold plays what an operator does: a backup, more
// events that a reader sees, the backup put back, and other events.
func TestReadersOfARestoredDirectoryAreTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := &site{t: t, c: Config{Data: dir}}
	s.start()
	first := s.rent("1")
	s.rent("2")
	s.end()
	backup := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, exec.Command("cp", "-a", dir, backup).Run())
	s.start()
	require.Len(t, s.follows(first).Events, 1, "a restart")
	s.rent("3")
	seen := s.rent("4")
	s.end()
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, exec.Command("cp", "-a", backup, dir).Run())
	s.start()
	for _, id := range []string{"5", "6", "7", "8", "9"} {
		s.rent(id)
	}
	p := s.follows(seen)
	require.NotNil(t, p.Gap)
	require.Equal(t, seen, p.Gap.From)
	require.Empty(t, p.Events)
	require.Equal(t, 7, s.active())
	s.end()
}

// TestRestore puts a backup back by the command's own way.
func TestRestore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := &site{t: t, c: Config{Data: dir}}
	s.start()
	s.rent("1")
	s.end()
	backup := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, exec.Command("cp", "-a", dir, backup).Run())
	s.start()
	seen := s.rent("2")
	var wrong *Misuse
	restore := func(backup, dir string) (Restored, error) {
		return Restore(t.Context(), backup, dir, slog.New(slog.DiscardHandler))
	}
	_, err := restore(backup, dir)
	require.ErrorAs(t, err, &wrong)
	require.ErrorContains(t, err, "a broker is using")
	_, err = restore(dir, filepath.Join(t.TempDir(), "other"))
	require.ErrorContains(t, err, "a broker is using the backup")
	s.end()
	for from, says := range map[string]string{t.TempDir(): "no directory jetstream", dir: "lies in the backup",
		filepath.Join(dir, "none"): "none"} {
		_, err = restore(from, dir)
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, says)
	}
	within := filepath.Join(t.TempDir(), "link") // the copy would hold itself, without end
	require.NoError(t, os.Symlink(dir, within))
	for _, to := range []string{filepath.Join(dir, "new"), filepath.Join(dir, "a", "b"), filepath.Join(within, "new")} {
		_, err = restore(dir, to)
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, "lies in the backup")
	}
	s.start()
	require.Equal(t, 2, s.active(), "refusals changed nothing")
	token := s.token
	s.end()

	link := filepath.Join(t.TempDir(), "latest")
	require.NoError(t, os.Symlink(backup, link))
	r, err := restore(link, dir)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Events)
	require.WithinDuration(t, time.Now(), r.LastStored, time.Hour)
	require.DirExists(t, filepath.Join(r.ReplacedFiles, "jetstream"))
	s.start()
	require.Equal(t, 1, s.active())
	s.token = token
	p := s.follows(seen)
	require.NotNil(t, p.Gap)
	require.True(t, strings.HasPrefix(p.Head, r.Epoch))
	s.end()
	fresh := &site{t: t, c: Config{Data: filepath.Join(t.TempDir(), "new", "data")}}
	r, err = restore(backup, fresh.c.Data)
	require.NoError(t, err)
	require.Empty(t, r.ReplacedFiles)
	fresh.start()
	require.Equal(t, 1, fresh.active())
	fresh.end()
}

// TestRestoreRefusesADamagedBackup and leaves what is there.
func TestRestoreRefusesADamagedBackup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := &site{t: t, c: Config{Data: dir}}
	s.start()
	s.rent("1")
	s.end()
	for name, damage := range map[string]func(backup string) error{
		"token.key": func(backup string) error {
			return os.WriteFile(filepath.Join(backup, "token.key"), []byte("x"), 0o600)
		},
		"users": func(backup string) error {
			return os.WriteFile(filepath.Join(backup, "users.json"), []byte("{"), 0o600)
		},
		"damaged": func(backup string) error {
			return os.WriteFile(filepath.Join(backup, "jetstream/$G/streams/YARDLINE_EVENTS/meta.inf"), []byte("{"),
				0o600)
		},
	} {
		backup := filepath.Join(t.TempDir(), "backup")
		require.NoError(t, exec.Command("cp", "-a", dir, backup).Run())
		require.NoError(t, damage(backup))
		_, err := Restore(t.Context(), backup, dir, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), "restore.copy", "the operator knows the backup's own name")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		require.NotContains(t, entry.Name(), "restore")
	}
	s.start()
	require.Equal(t, 1, s.active())
	s.end()
}

// TestRestoreOfAPart says that the rest is missing.
func TestRestoreOfAPart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := &site{t: t, c: Config{Data: dir}}
	s.start()
	s.rent("1")
	s.end()
	for part, says := range map[string]string{"YARDLINE_EVENTS": "has been at 1",
		"KV_YARDLINE_STORE": "store beside it", "none": ""} {
		backup := filepath.Join(t.TempDir(), "backup")
		require.NoError(t, exec.Command("cp", "-a", dir, backup).Run())
		require.NoError(t, os.RemoveAll(filepath.Join(backup, "jetstream/$G/streams", part)))
		var log strings.Builder
		errors := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		_, err := Restore(t.Context(), backup, filepath.Join(t.TempDir(), "data"), errors)
		require.NoError(t, err)
		require.Contains(t, log.String(), says)
		require.Equal(t, says != "", strings.Contains(log.String(), "a part of the log is missing"), log.String())
	}
}

// TestCutOffRestoreIsFinished before the broker reads or makes a key.
func TestCutOffRestoreIsFinished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := &site{t: t, c: Config{Data: dir}}
	s.start()
	token := s.token
	s.end()
	require.NoError(t, os.Rename(dir, dir+"2"))
	require.NoError(t, datadir.Make(dir))
	require.NoError(t, os.Rename(dir+"2", filepath.Join(dir, "restore.moving-T")))
	s.start()
	s.token = token
	s.rent("1")
	s.end()
}

// TestTwoInstallationsOnOneServer: the second one is refused, as a fault of the
// configuration.
func TestTwoInstallationsOnOneServer(t *testing.T) {
	n, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(),
		NoSigs: true, NoLog: true, MaxPayload: 8 << 20})
	require.NoError(t, err)
	n.Start()
	defer func() { n.Shutdown(); n.WaitForShutdown() }()
	require.True(t, n.ReadyForConnections(20*time.Second))
	one := &site{t: t, c: Config{Data: t.TempDir(), NATS: n.ClientURL()}}
	one.start()
	two := &site{t: t, c: Config{Data: t.TempDir(), NATS: n.ClientURL()}}
	_, err = New(t.Context(), Config{Listen: "127.0.0.1:0", Data: two.c.Data, NATS: two.c.NATS})
	var wrong *Misuse
	require.ErrorAs(t, err, &wrong)
	require.ErrorContains(t, err, "another installation")
	two.c.NATSPrefix = "STAGE"
	two.start()
	one.rent("1")
	require.Equal(t, 1, one.active())
	require.Zero(t, two.active())
	two.end()
	one.end()
	_, err = New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), NATS: n.ClientURL(), NATSPrefix: "a.b"})
	require.ErrorContains(t, err, "--nats-prefix")
}
