package wasmclient

import (
	"github.com/snd-rental/yardline/wasmclient/internal/loop"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// The ports through which the client reaches the program around it. Package port documents them, and has the values and
// errors that only an implementation of a port needs.
type (
	// A Transport carries requests to one broker. Packages browser and native have one each.
	Transport = port.Transport
	// A Request to the broker.
	Request = port.Request
	// A Response of the broker, or of something between the client and the broker.
	Response = port.Response
	// An Error is a refusal by the broker, or by something that answered in the broker's place.
	Error = port.Error
	// A Page is the browser's page that a client runs in. Package browser has one.
	Page = port.Page
	// Storage keeps small values over reloads. Package browser has one over IndexedDB.
	Storage = port.Storage
	// Memory is a Storage that forgets when the program ends.
	Memory = port.Memory
)

// ErrNotBroker means that something else than a broker answered as if all were well, such as a captive portal.
var ErrNotBroker = port.ErrNotBroker

// StateKey is the key of the Storage under which the client keeps the last snapshot and history. An app may delete it.
const StateKey = loop.StateKey

// EntityMoved is the code of an item of the outbox that the broker refused because its entity has changed since the
// user wrote the item.
const EntityMoved = loop.EntityMoved
