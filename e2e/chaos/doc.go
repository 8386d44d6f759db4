// Package chaos tests the broker against failures of the machine. Its tests need root on Linux and the build tag chaos.
package chaos
