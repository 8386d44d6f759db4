package wire_test

import (
	"fmt"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// A client feeds the pieces of a stream to a Decoder, and gets a frame from each message.
// It keeps the cursor of the last frame, to resume there.
func Example() {
	e, err := event.SyncProgress("s1", "all", 45)
	if err != nil {
		fmt.Println(err)
		return
	}
	var stream []byte
	stream = wire.SSE.Append(stream, &wire.Event{Cursor: wire.Cursor{Epoch: "k3x9", Seq: 7}, Event: e})
	stream = wire.SSE.Append(stream, &wire.Heartbeat{Cursor: wire.Cursor{Epoch: "k3x9", Seq: 9}})

	var decoder wire.Decoder
	show := func(m wire.Message) {
		frame, err := wire.ParseMessage(m)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%T reaches %s\n", frame, frame.ReachedCursor())
	}
	for _, piece := range [][]byte{stream[:10], stream[10:]} {
		if err := decoder.Feed(piece, show); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("resume at", decoder.LastEventID())
	// Output:
	// *wire.Event reaches k3x9-7
	// *wire.Heartbeat reaches k3x9-9
	// resume at k3x9-9
}

func ExampleAppendSSE() {
	fmt.Printf("%s", wire.AppendSSE(nil, &wire.Bye{Reason: wire.ByeDrain, Delay: 2 * time.Second}))
	// Output:
	// event: bye
	// data: {"reason":"drain","delay_ms":2000}
}

func ExampleAppendJSON() {
	at := wire.Cursor{Epoch: "k3x9", Seq: 9}
	fmt.Printf("%s", wire.AppendJSON(nil, &wire.Heartbeat{Cursor: at}))
	fmt.Printf("%s", wire.AppendJSON(nil, wire.NewPong("1")))
	// Output:
	// {"id":"k3x9-9"}
	// {"event":"pong","ref":"1"}
}

func ExampleParseCall() {
	call, err := wire.ParseCall([]byte(`{"call":"filter","ref":"2","filter":"types=sync_progress"}`))
	fmt.Println(call.Call, call.Ref, call.Filter, err)
	_, err = wire.ParseCall([]byte(`{"call":"stop"}`))
	fmt.Println(err)
	// Output:
	// filter 2 types=sync_progress <nil>
	// wire: not a call such as {"call":"ping","ref":"1"}
}

func ExampleParseCursor() {
	c, err := wire.ParseCursor("k3x9-184")
	fmt.Println(c.Epoch, c.Seq, err)
	// Output: k3x9 184 <nil>
}
