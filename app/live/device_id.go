package live

import (
	"context"
	"errors"
)

// deviceKey is the key in the storage of the broker's id of this device, as text. The service worker
// reads and writes it too.
const deviceKey = "push-device"

// DeviceID returns the broker's id of this device, or "" when the device gets no pushes.
func (l *Live) DeviceID(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	values, err := l.env.Storage.Load(ctx, deviceKey)
	if err != nil {
		return ""
	}
	return string(values[deviceKey])
}

// errSignedOut means that the user has signed out meanwhile.
var errSignedOut = errors.New("live: nobody is signed in")

// SaveDeviceID stores the broker's id of this device. An empty id deletes it.
func (l *Live) SaveDeviceID(ctx context.Context, id string) error {
	l.replacing.Lock() // Otherwise a sign-out in between would leave data of the signed-out user.
	defer l.replacing.Unlock()
	if l.Client() == nil {
		return errSignedOut
	}
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	if id == "" {
		return l.env.Storage.Delete(ctx, deviceKey)
	}
	return l.env.Storage.Save(ctx, deviceKey, []byte(id))
}
