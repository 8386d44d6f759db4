//go:build !js

package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/native"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// example starts a broker in memory behind a real HTTP server, for the examples. A real broker is at the
// address that yardline serve prints.
func example() (url string, publish func(event.Event, error), stop func()) {
	b := fake.New(access.Grant{User: "4", Roles: []access.Role{access.Manager}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q := wasmclient.Request{Method: r.Method, Path: r.URL.RequestURI(), Body: body}
		if r.Method == "GET" && r.URL.Path == "/api/sse" {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = b.Stream(r.Context(), q, func(piece []byte) error { // The stream ends when the client has gone.
				_, err := w.Write(piece)
				w.(http.Flusher).Flush()
				return err
			})
			return
		}
		answer, err := b.Do(r.Context(), q)
		if err != nil {
			answer.Status = 502
		}
		w.Header().Set("Content-Type", answer.ContentType)
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body) // The client may have gone.
	}))
	publish = func(e event.Event, err error) {
		if err == nil {
			b.Publish(e)
		}
	}
	return server.URL, publish, func() { server.CloseClientConnections(); server.Close() }
}

// A back end follows the events. The client connects, reconnects and resumes by itself, and decodes each
// payload into a Go type.
func Example() {
	url, publish, stop := example()
	defer stop()
	publish(event.RentalStatusUpdated(123, "active", "")) // The event is in the log before the client starts.
	publish(event.PaymentReceived(123, "1500", "credit_card"))

	t, err := native.New(url, "a token that yardline token printed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	ctx, cancel := context.WithCancel(context.Background())
	client := wasmclient.New(wasmclient.Options{Transport: t, Oldest: true,
		OnEvent: func(r store.Received) { fmt.Println(r.Type, r.Subject) }})
	wasmclient.On(client, func(p event.PaymentReceivedData, _ store.Received) {
		fmt.Println("paid:", p.Amount)
		cancel() // The example ends here. A service keeps running.
	})
	client.Run(ctx)
	// Output:
	// rental_status_updated rental/123
	// payment_received rental/123
	// paid: 1500
}

// A filter selects events. The broker applies it.
func Example_filter() {
	url, publish, stop := example()
	defer stop()
	for id := range int64(3) {
		publish(event.RentalStatusUpdated(id+1, "active", ""))
		publish(event.PaymentReceived(id+1, "10", "cash"))
	}
	t, err := native.New(url, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	ctx, cancel := context.WithCancel(context.Background())
	client := wasmclient.New(wasmclient.Options{Transport: t, Oldest: true,
		Filter: filter.Filter{Types: []event.Type{event.TypeRentalStatusUpdated}, Subjects: []string{"rental/2"}},
		OnEvent: func(r store.Received) {
			fmt.Println(r.Type, r.Subject)
			cancel()
		}})
	client.Run(ctx)
	// Output: rental_status_updated rental/2
}

// A service publishes an event with an id. It can send the event again if an answer was lost, because the
// broker stores one event of an id.
func Example_publish() {
	url, _, stop := example()
	defer stop()
	t, err := native.New(url, "a service's token")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	api := wasmclient.API{Transport: t}
	for range 2 {
		receipt, err := api.PublishJSON(context.Background(), json.RawMessage(
			`{"specversion":"1.0","id":"erp-7731","source":"/erp","type":"payment_received",`+
				`"time":"2026-11-24T12:00:00Z","data":{"rental_id":123,"amount":1500,"payment_method":"credit_card"}}`))
		fmt.Println(receipt.ID, receipt.Duplicate, err)
	}
	// Output:
	// erp-7731 false <nil>
	// erp-7731 true <nil>
}
