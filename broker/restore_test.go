package broker

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/shared/access"
)

// site is an installation whose broker a test starts and stops.
type site struct {
	t     *testing.T
	c     Config
	b     *Broker
	token string // of a service that is a manager too
	stop  func() // stops the broker
}

// newSite returns an installation with the given number of rentals, named 1, 2 and so on.
// Its broker is stopped.
func newSite(t *testing.T, rentals int) *site {
	t.Helper()
	s := &site{t: t, c: Config{Data: filepath.Join(t.TempDir(), "data")}}
	s.start()
	for i := range rentals {
		s.rent(strconv.Itoa(i + 1))
	}
	s.stop()
	return s
}

// start starts the broker and waits until its state has caught up with the log.
func (s *site) start() {
	s.t.Helper()
	s.b, s.stop = start(s.t, s.c)
	g, err := access.NewGrant("erp", "erp", []access.Role{access.Service, access.Manager}, 0)
	require.NoError(s.t, err)
	s.token, err = s.b.CreateToken(g, time.Hour)
	require.NoError(s.t, err)
	<-s.b.hub.Ready()
}

// backUp copies the data directory and returns the copy.
func (s *site) backUp() string {
	s.t.Helper()
	backup := filepath.Join(s.t.TempDir(), "backup")
	copyTree(s.t, s.c.Data, backup)
	return backup
}

// copyTree copies a directory to a path that does not exist yet.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, exec.Command("cp", "-a", from, to).Run())
}

// request sends a request, and decodes the answer into a value.
func (s *site) request(method, path, body string, into any) {
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

// rent publishes an active rental and returns the event's cursor.
func (s *site) rent(id string) string {
	s.t.Helper()
	var receipt struct{ Cursor string }
	s.request("POST", "/api/sse",
		`{"id":"e`+id+`","type":"rental_status_updated","data":{"rental_id":`+id+`,"status":"active"}}`, &receipt)
	return receipt.Cursor
}

// page is an answer of GET /api/events.
type page struct {
	Events []struct{ ID string }
	Gap    *struct{ From, To string }
	Head   string
}

// eventsAfter returns the page of events after a cursor.
func (s *site) eventsAfter(cursor string) (p page) {
	s.t.Helper()
	s.request("GET", "/api/events?limit=100&after="+cursor, "", &p)
	return p
}

// activeRentals returns the number of active rentals in the snapshot.
func (s *site) activeRentals() int {
	s.t.Helper()
	var snapshot struct {
		Figures struct {
			Active int `json:"active_rentals"`
		}
	}
	s.request("GET", "/api/snapshot", "", &snapshot)
	return snapshot.Figures.Active
}

// An operator makes a backup, more events come, the operator copies the backup back by
// hand, and other events come. A reader that has seen events after the backup must get a
// gap.
func TestReadersGetAGapAfterABackupWasCopiedBack(t *testing.T) {
	s := newSite(t, 0)
	s.start()
	first := s.rent("1")
	s.rent("2")
	s.stop()
	backup := s.backUp()
	s.start()
	require.Len(t, s.eventsAfter(first).Events, 1, "a restart makes no gap")
	s.rent("3")
	lostCursor := s.rent("4")
	s.stop()
	require.NoError(t, os.RemoveAll(s.c.Data))
	copyTree(t, backup, s.c.Data)
	s.start()
	for _, id := range []string{"5", "6", "7", "8", "9"} {
		s.rent(id)
	}
	p := s.eventsAfter(lostCursor)
	require.NotNil(t, p.Gap)
	require.Equal(t, lostCursor, p.Gap.From)
	require.Empty(t, p.Events)
	require.Equal(t, 7, s.activeRentals())
	s.stop()
}

// restore calls Restore without a log.
func restore(t *testing.T, backup, dir string) (Restored, error) {
	t.Helper()
	return Restore(t.Context(), backup, dir, slog.New(slog.DiscardHandler))
}

func TestRestoreRefusesDirectoriesThatItMustNotUse(t *testing.T) {
	s := newSite(t, 2)
	dir, backup := s.c.Data, s.backUp()
	s.start()
	var misuse *Misuse
	_, err := restore(t, backup, dir)
	require.ErrorAs(t, err, &misuse)
	require.ErrorContains(t, err, "a broker is using")
	_, err = restore(t, dir, filepath.Join(t.TempDir(), "other"))
	require.ErrorContains(t, err, "a broker is using the backup")
	s.stop()
	for from, message := range map[string]string{
		t.TempDir():                "no directory jetstream",
		dir:                        "lies in the backup",
		filepath.Join(dir, "none"): "none",
	} {
		_, err = restore(t, from, dir)
		require.ErrorAs(t, err, &misuse)
		require.ErrorContains(t, err, message)
	}
	within := filepath.Join(t.TempDir(), "link") // a copy in it would contain itself
	require.NoError(t, os.Symlink(dir, within))
	for _, to := range []string{filepath.Join(dir, "new"), filepath.Join(dir, "a", "b"), filepath.Join(within, "new")} {
		_, err = restore(t, dir, to)
		require.ErrorAs(t, err, &misuse)
		require.ErrorContains(t, err, "lies in the backup")
	}
	s.start()
	require.Equal(t, 2, s.activeRentals(), "refusals changed nothing")
	s.stop()
}

func TestRestoreReplacesTheFilesAndGivesANewEpoch(t *testing.T) {
	s := newSite(t, 1)
	dir, backup := s.c.Data, s.backUp()
	s.start()
	lostCursor := s.rent("2")
	token := s.token
	s.stop()

	link := filepath.Join(t.TempDir(), "latest")
	require.NoError(t, os.Symlink(backup, link))
	r, err := restore(t, link, dir)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Events)
	require.WithinDuration(t, time.Now(), r.LastStored, time.Hour)
	require.DirExists(t, filepath.Join(r.ReplacedFiles, "jetstream"))
	s.start()
	require.Equal(t, 1, s.activeRentals())
	s.token = token
	p := s.eventsAfter(lostCursor)
	require.NotNil(t, p.Gap)
	require.True(t, strings.HasPrefix(p.Head, r.Epoch))
	s.stop()
	fresh := &site{t: t, c: Config{Data: filepath.Join(t.TempDir(), "new", "data")}}
	r, err = restore(t, backup, fresh.c.Data)
	require.NoError(t, err)
	require.Empty(t, r.ReplacedFiles)
	fresh.start()
	require.Equal(t, 1, fresh.activeRentals())
	fresh.stop()
}

func TestRestoreOfADamagedBackupChangesNothing(t *testing.T) {
	s := newSite(t, 1)
	dir := s.c.Data
	for name, damage := range map[string]func(backup string) error{
		"token.key": func(backup string) error {
			return os.WriteFile(filepath.Join(backup, "token.key"), []byte("x"), 0o600)
		},
		"users": func(backup string) error {
			return os.WriteFile(filepath.Join(backup, "users.json"), []byte("{"), 0o600)
		},
		"damaged": func(backup string) error {
			meta := filepath.Join(backup, "jetstream/$G/streams/YARDLINE_EVENTS/meta.inf")
			return os.WriteFile(meta, []byte("{"), 0o600)
		},
	} {
		backup := s.backUp()
		require.NoError(t, damage(backup))
		_, err := restore(t, backup, dir)
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), "restore.copy", "the operator knows the backup's own name")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		require.NotContains(t, entry.Name(), "restore")
	}
	s.start()
	require.Equal(t, 1, s.activeRentals())
	s.stop()
}

func TestRestoreOfAnIncompleteBackupLogsWhatIsMissing(t *testing.T) {
	s := newSite(t, 1)
	for missing, message := range map[string]string{
		"YARDLINE_EVENTS":   "has been at 1",
		"KV_YARDLINE_STORE": "store beside it",
		"none":              "",
	} {
		backup := s.backUp()
		require.NoError(t, os.RemoveAll(filepath.Join(backup, "jetstream/$G/streams", missing)))
		var log strings.Builder
		errors := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		_, err := Restore(t.Context(), backup, filepath.Join(t.TempDir(), "data"), errors)
		require.NoError(t, err)
		require.Contains(t, log.String(), message)
		require.Equal(t, message != "", strings.Contains(log.String(), "a part of the log is missing"), log.String())
	}
}

// A broker must finish a restore that was interrupted before it reads or makes a key.
func TestBrokerFinishesAnInterruptedRestore(t *testing.T) {
	s := newSite(t, 0)
	dir, token := s.c.Data, s.token
	require.NoError(t, os.Rename(dir, dir+"2"))
	require.NoError(t, datadir.Make(dir))
	require.NoError(t, os.Rename(dir+"2", filepath.Join(dir, "restore.moving-T")))
	s.start()
	s.token = token
	s.rent("1")
	s.stop()
}

func TestSecondInstallationOnOneServerNeedsItsOwnPrefix(t *testing.T) {
	n, err := server.NewServer(&server.Options{
		Host:       "127.0.0.1",
		Port:       -1,
		JetStream:  true,
		StoreDir:   t.TempDir(),
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: 8 << 20,
	})
	require.NoError(t, err)
	n.Start()
	defer func() { n.Shutdown(); n.WaitForShutdown() }()
	require.True(t, n.ReadyForConnections(20*time.Second))
	one := &site{t: t, c: Config{Data: t.TempDir(), NATS: n.ClientURL()}}
	one.start()
	two := &site{t: t, c: Config{Data: t.TempDir(), NATS: n.ClientURL()}}
	_, err = New(t.Context(), Config{Listen: "127.0.0.1:0", Data: two.c.Data, NATS: two.c.NATS})
	var misuse *Misuse
	require.ErrorAs(t, err, &misuse)
	require.ErrorContains(t, err, "another installation")
	two.c.NATSPrefix = "STAGE"
	two.start()
	one.rent("1")
	require.Equal(t, 1, one.activeRentals())
	require.Zero(t, two.activeRentals())
	two.stop()
	one.stop()
	_, err = New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), NATS: n.ClientURL(), NATSPrefix: "a.b"})
	require.ErrorContains(t, err, "--nats-prefix")
}
