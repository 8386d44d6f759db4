package bench

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// ErrUnsupported is the error of Run on a system without epoll.
var ErrUnsupported = errors.New("the load generator needs Linux, because it reads all streams by epoll")

// A ConfigError is a fault in a Config.
type ConfigError struct{ Reason string }

func (e *ConfigError) Error() string { return e.Reason }

// A RefusedError is an answer of the server that refuses a stream or an event.
type RefusedError struct {
	Request string // what was asked for: "a stream" or "an event"
	Status  int    // the HTTP status
	Body    string // the begin of the answer's body
}

func (e *RefusedError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the server refused %s with status %d %s", e.Request, e.Status, e.Body))
}

// Config describes a measurement.
type Config struct {
	// Subscribe is the http URL of the stream.
	Subscribe string

	// Publish is the http URL that events are posted to. It may be empty if Events is 0.
	Publish string

	// Headers are added to all requests, and PublishHeaders to those that publish. Each
	// is a line such as "Name: value".
	Headers, PublishHeaders []string

	// Tokens are bearer tokens of the subscribers, which take them in turn. Without
	// tokens the subscribers send none.
	Tokens []string

	// PublishToken is the bearer token of the publishers. Empty means none.
	PublishToken string

	// ContentType is the media type of a published body.
	ContentType string

	// Body is the template of one event. "{{payload}}" in it becomes the text that the
	// subscribers look for, and "{{seq}}" becomes the event's number.
	Body string

	// Subscribers is the number of streams that read all that comes, Slow the number of
	// streams that read 1 KB a second, and Stalled the number of those that never read.
	// Delays, losses and costs are of Subscribers alone.
	Subscribers, Slow, Stalled int

	// Addresses is the number of loopback addresses that the subscribers come from. 0
	// means one for each 2,000 streams if the server is on a loopback address of IPv4.
	// Elsewhere the system chooses the only address.
	Addresses int

	// Gzip asks for compressed streams. Decoding all of them would cost more than the
	// server's work: decodedStreams are decoded, and only the bytes of the others count.
	Gzip bool

	// Events is the number of events to publish. 0 measures idle streams alone.
	Events int

	// PayloadBytes is the length of the text in place of {{payload}}. It has at least
	// the length of the mark at its begin, some 50 bytes.
	PayloadBytes int

	// Batch is the number of events in a request. Above 1, the body is a JSON array of
	// events. 0 means 1.
	Batch int

	// Publishers is the number of connections that publish. Each sends its next request
	// after the answer to the last one. 0 means 1.
	Publishers int

	// Rate is the number of events a second. 0 means as many as Window allows.
	Rate float64

	// Window is the number of events that may be on their way to any subscriber. 0 means
	// that publishers do not wait for the subscribers.
	Window int

	// Settle is the time between the last opened stream and the measurement of memory.
	Settle time.Duration

	// Patience is how long Run waits without progress before it gives up. 0 means 5 s.
	Patience time.Duration

	// PID is the server's process on this machine. 0 means that CPU time and memory are
	// not measured.
	PID int

	// Progress is called with a sentence at the begin of each part. It may be nil.
	Progress func(string)
}

// Limits of a Config.
const (
	decodedStreams    = 50      // streams that are decoded with Config.Gzip
	streamsPerAddress = 2000    // what a broker accepts from one address
	maxAddresses      = 250     // 127.0.0.1 to 127.0.0.250
	maxReceipts       = 4 << 30 // bits that note which subscriber has received which event
	defaultPatience   = 5 * time.Second
	maxPublishErrors  = 50 // errors of publishing after which a measurement ends
)

// withDefaults returns a copy of c with the defaults in place of zeros.
func (c Config) withDefaults() Config {
	c.Batch, c.Publishers = max(c.Batch, 1), max(c.Publishers, 1)
	if c.Patience <= 0 {
		c.Patience = defaultPatience
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// validate returns a ConfigError if a measurement cannot be done as c describes it.
func (c Config) validate() error {
	if err := checkURL(c.Subscribe); err != nil {
		return err
	}
	if c.Events > 0 {
		if err := checkURL(c.Publish); err != nil {
			return err
		}
	}
	switch {
	case c.Subscribers < 1 || c.Slow < 0 || c.Stalled < 0:
		return &ConfigError{"there must be at least one subscriber, and no negative number of any"}
	case c.Addresses < 0 || c.Addresses > maxAddresses:
		return &ConfigError{fmt.Sprintf("the number of addresses must be between 1 and %d", maxAddresses)}
	case c.Events < 0 || c.Rate < 0 || c.Window < 0 || c.PayloadBytes < 0 || c.Settle < 0:
		return &ConfigError{"a number of events or bytes, a rate, a window and a time must not be negative"}
	case c.Events > 0 && c.Events%c.Batch != 0:
		return &ConfigError{"the number of events must be a multiple of the batch"}
	case c.Window > 0 && c.Window < c.Batch:
		return &ConfigError{"the window must hold a batch"}
	case int64(c.Events)*int64(c.Subscribers) > maxReceipts:
		return &ConfigError{"so many events to so many subscribers do not fit in memory; publish fewer"}
	case c.Events > 0 && !strings.Contains(c.Body, "{{payload}}"):
		return &ConfigError{"the body must contain {{payload}}"}
	}
	return nil
}

// checkURL returns a ConfigError for an address that the load generator cannot connect to.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return &ConfigError{fmt.Sprintf("%q is not a URL such as http://127.0.0.1:8080", text)}
	case u.Scheme == "https":
		return &ConfigError{"the load generator speaks plain HTTP: name the broker's own address, " +
			"and not that of a proxy with TLS in front of it"}
	case u.Scheme != "http":
		return &ConfigError{fmt.Sprintf("%q does not begin with http://", text)}
	}
	return nil
}
