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

// checkWebSocket opens a WebSocket (RFC 6455, section 4.1) and reads its first frame.
func (x *examination) checkWebSocket(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	// The request has the origin that a browser would send from a page of this address.
	answer, err := x.get(ctx, "/api/ws",
		"Origin", x.base.Scheme+"://"+x.base.Host,
		"Connection", "Upgrade",
		"Upgrade", "websocket",
		"Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16])),
		"Sec-WebSocket-Protocol", wire.Subprotocol,
	)
	if err != nil {
		x.report("websocket", Warning, adviceUpgrade, "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		x.reportNoWebSocket(answer)
		return
	}
	if x.Token == "" {
		x.report("websocket", OK, "", "The upgrade works.")
		return
	}
	defer context.AfterFunc(ctx, func() { answer.Body.Close() })()
	line, err := firstLine(answer.Body)
	if _, isHello := frameOf(wire.ParseJSON(line)).(*wire.Hello); err != nil || !isHello {
		x.report(
			"websocket",
			Warning,
			"Look at the timeouts of proxies in between.",
			"It opened, but its first word did not come within %v.",
			helloTimeout,
		)
		return
	}
	x.report("websocket", OK, "", "The upgrade works, and its first word came.")
}

// reportNoWebSocket reports why no WebSocket was opened. A refusal with a problem document is
// the broker's own. A refusal of a proxy needs other advice.
func (x *examination) reportNoWebSocket(answer *http.Response) {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusalBytes)) // a part of it is enough
	p := problemOf(answer, body)
	switch {
	case p == nil || answer.StatusCode == http.StatusUpgradeRequired:
		x.report("websocket", Warning, adviceUpgrade, "No WebSocket: status %d%s.", answer.StatusCode, servedBy(answer))
	case p.Code == problem.CodeCrossOrigin:
		x.report(
			"websocket",
			Failed,
			"Let the proxy pass on the name and port that the browser asked for: proxy_set_header Host $http_host in "+
				"nginx. Without it the app's own requests look as if they came from another site.",
			"Pages of this very address are taken for another site's.",
		)
	case answer.StatusCode == http.StatusUnauthorized:
		x.report("websocket", Skipped, "Give a --token that the broker takes.", "The token was refused.")
	default:
		x.reportRefusal("websocket", "the WebSocket", answer, p)
	}
}

// adviceUpgrade is the advice for a proxy that passes no WebSockets on.
const adviceUpgrade = "Let the proxy pass Upgrade and Connection on for /api/ws, over HTTP/1.1. " +
	"Clients whose streams are held back need it, or fall back to long polls."

// firstLine returns the first line of the first WebSocket frame (RFC 6455, section 5.2). A
// server does not mask its frames.
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
		break // the long size may itself be 127
	}
	return bufio.NewReader(io.LimitReader(r, int64(min(size, maxFrameBytes)))).ReadBytes('\n')
}

// maxFrameBytes is the number of bytes of a frame that are read.
const maxFrameBytes = 1 << 20
