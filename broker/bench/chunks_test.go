package bench

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// decodeParts decodes a body that arrives in parts of at most size bytes.
func decodeParts(t *testing.T, body string, size func() int) string {
	t.Helper()
	var d chunkDecoder
	decoded := ""
	for len(body) > 0 {
		n := min(size(), len(body))
		b, err := d.decode([]byte(body[:n]))
		require.NoError(t, err)
		decoded, body = decoded+string(b), body[n:]
	}
	return decoded
}

func TestChunksAreDecodedWhereverTheyAreCut(t *testing.T) {
	const body = "5\r\nhello\r\n0001;a=b;c\r\n \r\nC\r\nbig\r\nworld!\n\r\n0\r\n\r\nignored"
	const want = "hello big\r\nworld!\n"
	random := rand.New(rand.NewPCG(1, 2))
	for size := 1; size <= len(body); size++ {
		require.Equal(t, want, decodeParts(t, body, func() int { return size }), "parts of %d bytes", size)
		require.Equal(t, want, decodeParts(t, body, func() int { return 1 + random.IntN(size) }))
	}
}

func TestMalformedChunksAreRefused(t *testing.T) {
	for _, body := range []string{"x\r\n", "\r\n", "3\r\nabcd\r\n", "fffffffffff\r\n", "-1\r\n"} {
		var d chunkDecoder
		_, err := d.decode([]byte(body))
		require.ErrorIs(t, err, errChunk, "%q", body)
	}
}
