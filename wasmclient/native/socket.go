//go:build !js

package native

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"nhooyr.io/websocket" // prescribed, though deprecated; only this file imports it

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// maxMessage bounds a message of a WebSocket, in bytes.
const maxMessage = 4 << 20

// Socket implements port.Transport.
func (t *Transport) Socket(ctx context.Context, path string, take func([]byte) error) error {
	header := http.Header{}
	if t.token != "" {
		header.Set("Authorization", "Bearer "+t.token)
	}
	//nolint:bodyclose // the library reads and closes the body of the answer
	conn, answer, err := websocket.Dial(ctx, t.base+path, &websocket.DialOptions{
		HTTPClient:   t.client,
		HTTPHeader:   header,
		Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil && answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
		return refusal(answer)
	}
	if err != nil {
		return fmt.Errorf("the broker cannot be reached: %w", err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxMessage)
	for {
		_, message, err := conn.Read(ctx)
		if code := websocket.CloseStatus(err); code != -1 {
			return nil // an end; a goodbye came before it
		}
		if err != nil {
			return fmt.Errorf("native: %w", err)
		}
		if err := take(message); err != nil {
			return err
		}
	}
}

// refusal is why a WebSocket did not open. Only the beginning of the answer's
// body is there.
func refusal(answer *http.Response) error {
	r, err := whole(answer)
	var refused *port.Error
	if errors.As(port.ErrorOf(r), &refused) {
		later := r.Status >= 500 || r.Status == http.StatusTooManyRequests
		if refused.FromBroker || later || r.Location != "" {
			return refused
		}
	}
	return errors.Join(fmt.Errorf("%w: status %d", port.ErrNoUpgrade, answer.StatusCode), err)
}
