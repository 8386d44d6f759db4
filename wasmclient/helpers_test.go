package wasmclient_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var manager = access.Grant{User: "4", Name: "manager", Roles: []access.Role{access.Manager}}

// run runs a client of the manager in virtual time, until stop or the end of the test.
func run(t *testing.T, b *fake.Broker, o wasmclient.Options) (c *wasmclient.Client, stop func()) {
	o.Transport, o.Grant = b, manager
	c = wasmclient.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { c.Run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	synctest.Wait()
	return c, stop
}

// start is run for a client that runs until the end of the test.
func start(t *testing.T, b *fake.Broker, o wasmclient.Options) *wasmclient.Client {
	c, _ := run(t, b, o)
	return c
}

// publish stores an event of a rental in the broker's log.
func publish(t *testing.T, b *fake.Broker, rental int64) {
	e, err := event.RentalStatusUpdated(rental, "active", "")
	require.NoError(t, err)
	b.Publish(e)
}
