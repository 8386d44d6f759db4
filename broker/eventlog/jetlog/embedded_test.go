package jetlog

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// TestServerThatStartsIsNotDamaged asks a server for its health before it has
// started. The server (2.15.2) waits only a millisecond for itself and then
// reports a failure, which must not count as damage.
func TestServerThatStartsIsNotDamaged(t *testing.T) {
	s, err := server.NewServer(&server.Options{
		ServerName: "t", DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	require.NoError(t, err)
	health := make(chan error, 1)
	asked := make(chan struct{})
	go func() {
		close(asked)
		health <- checkHealth(s)
	}()
	<-asked
	s.Start()
	defer stopEmbedded(s)
	require.NoError(t, <-health)
}
