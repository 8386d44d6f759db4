package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
)

// publishCommand returns the command that publishes an event.
func publishCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline publish")
	var flags clientFlags
	flags.register(fs)
	id := fs.String("id", "", "the event's `id`: sent again with the same id, it is stored once")
	asJSON := fs.Bool("json", false, "print the answer as JSON")
	return &ffcli.Command{
		Name:       "publish",
		ShortUsage: "yardline publish [flags] TYPE key=value… | JSON | -",
		ShortHelp:  "publish an event",
		FlagSet:    fs,
		LongHelp: `  yardline publish rental_status_updated rental_id=123 status=completed
  yardline publish '{"type":"rental_overdue","data":{"rental_id":123,"days_overdue":2}}'
  yardline publish - < event.json

A value is taken as JSON where it is valid JSON, and as text otherwise; notes='"12"' is
the text 12. Flags go before the type.`,
		Exec: func(ctx context.Context, args []string) error {
			body, err := eventBody(args, *id, std.in)
			if err != nil {
				return &broker.Misuse{Reason: err.Error()}
			}
			t, err := flags.newTransport()
			if err != nil {
				return err
			}
			defer t.Close()
			ctx, cancel := context.WithTimeout(ctx, publishTimeout)
			defer cancel()
			receipt, err := wasmclient.API{Transport: t}.PublishJSON(ctx, body)
			if err != nil {
				return describeError(err)
			}
			if *asJSON {
				return json.NewEncoder(std.out).Encode(receipt)
			}
			for _, w := range receipt.Warnings {
				fmt.Fprintf(std.err, "yardline: warning: %s: %s\n", w.Pointer, w.Message)
			}
			fmt.Fprintf(std.out, "id %s\ncursor %s\n", receipt.ID, receipt.Cursor)
			if receipt.Duplicate {
				fmt.Fprintln(std.err, "yardline: it was stored before, under this id")
			}
			return nil
		},
	}
}

// publishTimeout is how long publish waits for the broker's receipt.
const publishTimeout = 30 * time.Second

// eventBody returns the event that the arguments of publish describe, as JSON. It reads
// the event from in if the only argument is "-". A non-empty id replaces the event's own
// id.
func eventBody(args []string, id string, in io.Reader) (json.RawMessage, error) {
	if len(args) == 0 {
		return nil, errors.New("publish needs TYPE key=value…, JSON, or - for standard input")
	}
	var body []byte
	switch {
	case args[0] == "-" && len(args) == 1:
		var err error
		if body, err = io.ReadAll(io.LimitReader(in, event.MaxEventBytes+1)); err != nil {
			return nil, err
		}
		if len(body) > event.MaxEventBytes {
			return nil, fmt.Errorf("standard input has more than %d bytes, the most that an event may have",
				event.MaxEventBytes)
		}
	case strings.HasPrefix(strings.TrimSpace(args[0]), "{") && len(args) == 1:
		body = []byte(args[0])
	default:
		data, err := eventData(args[1:])
		if err != nil {
			return nil, err
		}
		body, _ = json.Marshal(map[string]any{"type": args[0], "data": data})
	}
	body, err := event.TrimByteOrderMark(body)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, errors.New("the event is not valid JSON")
	}
	if id == "" {
		return body, nil
	}
	var o event.Object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, errors.New("the event is not a JSON object")
	}
	quoted, _ := json.Marshal(id)
	return o.With("id", quoted).AppendJSON(nil), nil
}

// eventData returns the object that arguments of the form key=value describe.
func eventData(pairs []string) (event.Object, error) {
	data := event.Object{}
	for _, pair := range pairs {
		if strings.HasPrefix(pair, "-") {
			return nil, fmt.Errorf("flags go before the type: %s", pair)
		}
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return nil, fmt.Errorf("%q is not key=value", pair)
		}
		if data.Has(key) {
			return nil, fmt.Errorf("%s is given twice", key)
		}
		raw := json.RawMessage(value)
		if !json.Valid(raw) {
			raw, _ = json.Marshal(value) // a string always marshals
		}
		data = data.With(key, raw)
	}
	return data, nil
}
