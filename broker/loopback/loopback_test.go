package loopback

import "testing"

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	for _, host := range []string{"localhost", "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"} {
		if !IsHost(host) {
			t.Errorf("%q is of this machine", host)
		}
	}
	for _, host := range []string{
		"", "localhost.example", "example.org", "0.0.0.0", "::", "192.0.2.1",
		"127.0.0.1.example", "127.1", "a.localhost",
	} {
		if IsHost(host) {
			t.Errorf("%q is not of this machine alone", host)
		}
	}
}
