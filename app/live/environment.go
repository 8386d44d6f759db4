package live

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Environment holds what a Live needs of the browser and of the page.
type Environment struct {
	// Page is the browser's page. Required.
	Page wasmclient.Page

	// Storage keeps data over reloads. Defaults to a storage in memory.
	Storage wasmclient.Storage

	// Grace is the time for which all tabs must be hidden before the stream is closed. Defaults to
	// the default of wasmclient.Options.
	Grace time.Duration

	// MaxToasts is the number of toasts to show at once. Defaults to the default of package toast.
	MaxToasts int

	// OnStep is called with each input of the connection and the status after it. Nil disables it.
	OnStep func(conn.Input, conn.Status)

	// OnEvent is called with each event that is delivered. Nil disables it.
	OnEvent func(store.Received)

	// SetBadge shows the number of errors that the user has not seen. Nil disables the count.
	SetBadge func(n int)

	// ToastFormat writes the money and dates of toasts. Defaults to the zero ToastFormat.
	ToastFormat event.ToastFormat

	// ToastScale returns the factor for the time that toasts stay; see toast.Queue.SetScale. Nil
	// means 1.
	ToastScale func() float64

	// OnSignedIn is called when the broker has confirmed a user. Nil disables it. The context ends
	// when the user's client is stopped.
	OnSignedIn func(context.Context, *Live)

	// OnForget is called after a sign-out, to drop the user's data that the page keeps outside
	// the storage. Nil disables it.
	OnForget func()
}
