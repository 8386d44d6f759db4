package port

import "context"

// Storage keeps small values over reloads. It is safe for concurrent use. An implementation may be a [Persister] and a
// [Noter] too.
type Storage interface {
	// Load returns all values whose keys begin with a prefix.
	Load(ctx context.Context, prefix string) (map[string][]byte, error)

	// Save stores a value. A later Load finds it, even if the program crashes right after Save has returned, unless the
	// storage forgets everything at the end of the program as [Memory] does.
	Save(ctx context.Context, key string, value []byte) error

	// Delete removes all keys that begin with a prefix. The prefix "" removes everything.
	Delete(ctx context.Context, prefix string) error
}

// A Persister is a Storage that the browser may empty when it runs out of space, unless the browser is asked not to.
type Persister interface {
	// Persist asks the browser to keep the storage. It does not wait for the answer. Some browsers ask their user.
	Persist()
}

// A Noter is a Storage with a place for a short text that outlives the storage. With this text the client tells an
// emptied storage from a new one.
type Noter interface {
	// Note replaces the text. Deleting everything from the storage deletes the text too.
	Note(text string)

	// Noted returns the text, or "" if there is none.
	Noted() string
}
