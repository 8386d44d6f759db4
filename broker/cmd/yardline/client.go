package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/native"
)

// clientFlags has the flags of a command that sends requests to a broker.
type clientFlags struct {
	url, token string
}

// register adds the flags to a flag set.
func (f *clientFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.url, "url", "http://localhost:8080", "the broker's `URL`")
	fs.StringVar(&f.token, "token", "", "a bearer `token`, see yardline token; better set as YARDLINE_TOKEN")
}

// newTransport returns a transport to the broker. The caller must close it.
func (f *clientFlags) newTransport() (*native.Transport, error) {
	t, err := native.New(f.url, f.token)
	if err != nil {
		return nil, &broker.Misuse{Reason: "--url: " + err.Error()}
	}
	return t, nil
}

// describeError returns the error to print for an error of the client. It adds the fields
// that the broker refused, or advice when something other than the broker answered.
func describeError(err error) error {
	var refused *wasmclient.Error
	isRefused := errors.As(err, &refused)
	if errors.Is(err, wasmclient.ErrNotBroker) || isRefused && !refused.FromBroker {
		return fmt.Errorf("%s; is --url the broker's own address? yardline doctor may say what answers there",
			strings.TrimPrefix(err.Error(), "wasmclient: "))
	}
	if !isRefused || len(refused.Fields) == 0 {
		return err
	}
	text := refused.Title + " (" + refused.Code + ")"
	for _, f := range refused.Fields {
		text += "\n  " + f.Pointer + ": expected " + f.Expected
	}
	return errors.New(text)
}
