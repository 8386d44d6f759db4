package fanout

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httputil"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/waittest"
)

func TestFramerMakesChunks(t *testing.T) {
	var f framer
	for _, size := range []int{1, 15, 16, 255, 4096, maxChunk} {
		data := bytes.Repeat([]byte("x"), size)
		require.Equal(t, fmt.Sprintf("%x\r\n%s\r\n", size, data), string(f.chunk(nil, data, false)))
		body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(f.chunk(nil, data, true))))
		require.NoError(t, err, "the last chunk must end the body")
		require.Equal(t, data, body)
		withHead := string(f.chunk([]byte("head\r\n"), data, true))
		require.True(t, strings.HasPrefix(withHead, "head\r\n"))
		require.True(t, strings.HasSuffix(withHead, "\r\n"+lastChunk))
	}
}

// The framer must recognise the same bytes alone: not others of the same size, not
// a part of them, and not a chunk with a head or an end.
func TestFramerRemembersAChunkByItsAddress(t *testing.T) {
	var f framer
	one, other := []byte("one"), []byte("two")
	require.Equal(t, "3\r\none\r\n", string(f.chunk(nil, one, false)))
	f.buffer[3] = 'O' // shows that the chunk is not made again
	require.Equal(t, "3\r\nOne\r\n", string(f.chunk(nil, one, false)))
	require.Equal(t, "2\r\non\r\n", string(f.chunk(nil, one[:2], false)))
	require.Equal(t, "3\r\none\r\n", string(f.chunk(nil, one, false)))
	require.Equal(t, "3\r\ntwo\r\n", string(f.chunk(nil, other, false)))
	require.Equal(t, "h3\r\ntwo\r\n", string(f.chunk([]byte("h"), other, false)))
	require.Equal(t, "3\r\ntwo\r\n", string(f.chunk(nil, other, false)))
	require.Equal(t, "3\r\ntwo\r\n0\r\n\r\n", string(f.chunk(nil, other, true)))
	require.Equal(t, "3\r\ntwo\r\n", string(f.chunk(nil, other, false)))
}

func TestQueueKeepsTheOrder(t *testing.T) {
	q := newQueue()
	streams := make([]*Stream, 100)
	var popped []*Stream
	var worker sync.WaitGroup
	worker.Go(func() {
		for st := q.pop(); st != nil; st = q.pop() {
			popped = append(popped, st)
			if len(popped) == len(streams) {
				q.close()
			}
		}
	})
	for i := range streams {
		streams[i] = &Stream{slot: int32(i)}
		q.push(streams[i])
	}
	worker.Wait()
	require.Equal(t, streams, popped)
	q.push(streams[0])
	require.Nil(t, q.pop(), "the queue is closed")
}

// A queue that once held many streams must not keep those that have gone.
func TestQueueForgetsStreams(t *testing.T) {
	q := newQueue()
	var popped []weak.Pointer[Stream]
	for range 100 {
		q.push(&Stream{})
	}
	for range 99 {
		popped = append(popped, weak.Make(q.pop()))
	}
	waittest.Eventually(t, func() bool {
		runtime.GC()
		for _, st := range popped {
			if st.Value() != nil {
				return false
			}
		}
		return true
	}, 20*time.Second, time.Millisecond)
	require.NotNil(t, q.pop())
}
