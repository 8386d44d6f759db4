package conn

import "github.com/snd-rental/yardline/shared/wire"

// An Input is one of the types below. Their field Attempt names the driver's attempt to which an
// input belongs; the machine ignores inputs of attempts that are over.
type Input interface{ isInput() }

type (
	// Start connects in any state. It is also the user's "retry now".
	Start struct{}

	// Stop disconnects until Start.
	Stop struct{}

	// Pause disconnects until a Resume with the same code: a pause for one reason does not end
	// by a Resume for another.
	Pause struct{ Code string }

	// Resume ends the pause of this code.
	Resume struct{ Code string }

	// Woke says that the computer slept: a connection that looks alive may be long dead.
	Woke struct{}

	// Follow makes the machine take its frames from another tab from now on.
	Follow struct{}

	// Lead makes the machine take its frames from a connection of its own, as a new machine does.
	Lead struct{}

	// Upstream is the status of the leading tab's connection. The machine shows it as its own.
	Upstream struct {
		Attempt int
		Status  Status
	}

	// Reopen opens the stream again at the place that was reached, without a change of status:
	// the driver asks for other events now.
	Reopen struct{}

	// Online says that the browser reports a network.
	Online struct{}

	// GoneOffline says that the browser reports no network.
	GoneOffline struct{}

	// Snapshot says that the store holds the snapshot that FetchSnapshot asked for.
	Snapshot struct {
		Attempt int
		Cursor  wire.Cursor
		Grant   string
	}

	// Frame is a frame of the stream.
	Frame struct {
		Attempt int
		Frame   wire.Frame
	}

	// Ended says that the attempt is over.
	Ended struct {
		Attempt int
		Failure Failure
	}

	// Tick says that the alarm went off.
	Tick struct{}
)

func (Start) isInput()       {}
func (Stop) isInput()        {}
func (Pause) isInput()       {}
func (Resume) isInput()      {}
func (Woke) isInput()        {}
func (Follow) isInput()      {}
func (Lead) isInput()        {}
func (Upstream) isInput()    {}
func (Reopen) isInput()      {}
func (Online) isInput()      {}
func (GoneOffline) isInput() {}
func (Snapshot) isInput()    {}
func (Frame) isInput()       {}
func (Ended) isInput()       {}
func (Tick) isInput()        {}
