package pages

import (
	"time"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// MaxToasts returns the most toasts that a window shows at once.
func MaxToasts(narrow bool) int {
	if narrow {
		return 2
	}
	return 3
}

// ToastScale returns by how much longer than usual toasts stay, as the user has set it on this device.
func ToastScale() float64 {
	switch device.Setting(device.ToastTime) {
	case "2":
		return 2
	case "never":
		return toast.Never
	}
	return 1
}

// dismissToast removes a toast. If the focus was on it, the focus goes back to where it was before.
func (r *Root) dismissToast(t toast.Toast) {
	focused := focusedElement()
	onToast := focused.Truthy() && focused.Call("getAttribute", "data-key").Truthy()
	if onToast && r.focusBeforeToasts != nil && r.focusBeforeToasts.Truthy() {
		r.focusBeforeToasts.Call("focus")
	}
	r.host.live.UpdateToasts(func(q *toast.Queue, now time.Time) { q.Dismiss(now, t.Key) })
}

// holdToasts stops the time of the toasts while the pointer or the focus is on them.
func (r *Root) holdToasts() {
	r.host.live.UpdateToasts(func(q *toast.Queue, now time.Time) {
		if device.Held("#toasts") {
			q.Hold(now)
		} else {
			q.Release(now)
		}
	})
}
