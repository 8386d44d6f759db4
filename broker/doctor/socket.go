package doctor

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"

	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// socket opens a WebSocket (RFC 6455, section 4.1) and reads its first frame.
func (v *visit) socket(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	// With the origin of a page of this address, as a browser sends it.
	answer, err := v.get(
		ctx,
		"/api/ws",
		"Origin",
		v.base.Scheme+"://"+v.base.Host,
		"Connection",
		"Upgrade",
		"Upgrade",
		"websocket",
		"Sec-WebSocket-Version",
		"13",
		"Sec-WebSocket-Key",
		base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16])),
		"Sec-WebSocket-Protocol",
		wire.Subprotocol,
	)
	if err != nil {
		v.say("websocket", Warning, upgrade, "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		v.noSocket(answer)
		return
	}
	if v.Token == "" {
		v.say("websocket", OK, "", "The upgrade works.")
		return
	}
	defer context.AfterFunc(ctx, func() { answer.Body.Close() })()
	line, err := firstLine(answer.Body)
	if _, isHello := frameOf(wire.ParseJSON(line)).(*wire.Hello); err != nil || !isHello {
		v.say(
			"websocket",
			Warning,
			"Look at the timeouts of proxies in between.",
			"It opened, but its first word did not come within %v.",
			helloTimeout,
		)
		return
	}
	v.say("websocket", OK, "", "The upgrade works, and its first word came.")
}

// noSocket says why no WebSocket was opened. A refusal is the broker's only with
// its problem document; a proxy's needs other advice.
func (v *visit) noSocket(answer *http.Response) {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal)) // what there is of it
	p := problemOf(answer, body)
	switch {
	case p == nil || answer.StatusCode == http.StatusUpgradeRequired:
		v.say("websocket", Warning, upgrade, "No WebSocket: status %d%s.", answer.StatusCode, servedBy(answer))
	case p.Code == problem.CodeCrossOrigin:
		v.say(
			"websocket",
			Failed,
			"Let the proxy pass on the name and port that the browser asked for: proxy_set_header Host $http_host in "+
				"nginx. Without it the app's own requests look as if they came from another site.",
			"Pages of this very address are taken for another site's.",
		)
	case answer.StatusCode == http.StatusUnauthorized:
		v.say("websocket", Skipped, "Give a --token that the broker takes.", "The token was refused.")
	default:
		v.refused("websocket", "the WebSocket", answer, p)
	}
}

const upgrade = "Let the proxy pass Upgrade and Connection on for /api/ws, over HTTP/1.1. Clients whose streams are " +
	"held back need it, or fall back to long polls."

// firstLine is the first line of the first frame, which a server sends
// unmasked and whole.
func firstLine(r io.Reader) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size := uint64(head[1])
	for code, bytes := range map[uint64]int{126: 2, 127: 8} {
		if size != code {
			continue
		}
		long := make([]byte, 8)
		if _, err := io.ReadFull(r, long[8-bytes:]); err != nil {
			return nil, err
		}
		size = binary.BigEndian.Uint64(long)
		break // the size that it says may be 127 too
	}
	return bufio.NewReader(io.LimitReader(r, int64(min(size, maxFrame)))).ReadBytes('\n')
}

// maxFrame bounds what is read of a frame, in bytes.
const maxFrame = 1 << 20
