package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswersOtherThanStreamsAreRefused(t *testing.T) {
	h, err := parseStreamHead([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"))
	require.NoError(t, err)
	require.Equal(t, streamHead{isChunked: true, isGzip: true}, h)
	h, err = parseStreamHead([]byte("HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n"))
	require.NoError(t, err)
	require.Equal(t, streamHead{}, h)
	_, err = parseStreamHead([]byte("HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\na\n b "))
	require.EqualError(t, err, "the server refused a stream with status 503 a b")
	_, err = parseStreamHead([]byte("nonsense"))
	require.Error(t, err)
}

func TestFaultyConfigurationsAreRefused(t *testing.T) {
	good := Config{Subscribe: "http://127.0.0.1:1/s", Publish: "http://127.0.0.1:1/p", Subscribers: 1, Events: 10,
		Body: "{{payload}}"}
	require.NoError(t, good.withDefaults().validate())
	for message, change := range map[string]func(*Config){
		"is not a URL":    func(c *Config) { c.Subscribe = "127.0.0.1:8080" },
		"plain HTTP":      func(c *Config) { c.Publish = "https://yard.example/" },
		"begin with http": func(c *Config) { c.Subscribe = "ftp://yard.example/" },
		"one subscriber":  func(c *Config) { c.Subscribers = 0 },
		"addresses":       func(c *Config) { c.Addresses = 251 },
		"negative":        func(c *Config) { c.Rate = -1 },
		"multiple":        func(c *Config) { c.Batch = 3 },
		"hold a batch":    func(c *Config) { c.Batch, c.Window = 5, 4 },
		"do not fit":      func(c *Config) { c.Events, c.Subscribers = 1<<20, 1<<20 },
		"must contain":    func(c *Config) { c.Body = "{}" },
	} {
		c := good
		change(&c)
		err := c.withDefaults().validate()
		require.ErrorContains(t, err, message)
		require.ErrorAs(t, err, new(*ConfigError))
	}
	_, err := streamRequests(Config{Subscribe: good.Subscribe, Headers: []string{"no header"}})
	require.ErrorContains(t, err, "is not a header")
}
