package live

import (
	"context"
	"errors"
)

// deviceKey is the key in the storage of the broker's id of this device, as text. The service worker reads and writes
// it, too.
const deviceKey = "push-device"

// Device returns the broker's id of this device, or "" when the device gets no pushes.
func (l *Live) Device(ctx context.Context) string {
	within, done := context.WithTimeout(ctx, storageTime)
	defer done()
	values, err := l.in.Storage.Load(within, deviceKey)
	if err != nil {
		return ""
	}
	return string(values[deviceKey])
}

// errLeft means that the user has signed out meanwhile.
var errLeft = errors.New("live: nobody is signed in")

// KeepDevice keeps the broker's id of this device; "" forgets it.
func (l *Live) KeepDevice(ctx context.Context, id string) error {
	l.turn.Lock() // Otherwise a sign-out in between would leave data of the signed-out user.
	defer l.turn.Unlock()
	if l.Client() == nil {
		return errLeft
	}
	within, done := context.WithTimeout(ctx, storageTime)
	defer done()
	if id == "" {
		return l.in.Storage.Delete(within, deviceKey)
	}
	return l.in.Storage.Save(within, deviceKey, []byte(id))
}
