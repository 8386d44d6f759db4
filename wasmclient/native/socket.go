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

// maxMessage is the greatest size of a message of a WebSocket, in bytes.
const maxMessage = 4 << 20

// Socket implements port.Transport.
func (t *Transport) Socket(ctx context.Context, path string, handle func([]byte) error) error {
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
			return nil // the broker has closed it, after a bye
		}
		if err != nil {
			return fmt.Errorf("native: %w", err)
		}
		if err := handle(message); err != nil {
			return err
		}
	}
}

// refusal returns the reason for which a WebSocket did not open: the broker's refusal, a redirect, an
// answer that asks to try later, or else ErrNoUpgrade. The answer has only the beginning of its body.
func refusal(answer *http.Response) error {
	r, err := readWhole(answer)
	var refused *port.Error
	if errors.As(port.ErrorOf(r), &refused) {
		isTemporary := r.Status >= 500 || r.Status == http.StatusTooManyRequests
		if refused.FromBroker || isTemporary || r.Location != "" {
			return refused
		}
	}
	return errors.Join(fmt.Errorf("%w: status %d", port.ErrNoUpgrade, answer.StatusCode), err)
}
