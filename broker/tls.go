package broker

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a key pair in two files. It reads the files again when they change,
// so that a renewed certificate needs no restart. It is safe for concurrent use.
type certificate struct {
	certFile, keyFile string
	logger            *slog.Logger

	mu         sync.Mutex // guards all below
	pair       *tls.Certificate
	modifiedAt time.Time // of the newer file, when pair was read
	checkedAt  time.Time // when the files were checked for changes
}

// certificateCheckEvery is the shortest time between two checks of the files.
const certificateCheckEvery = time.Second

// openCertificate reads the key pair.
func openCertificate(certFile, keyFile string, logger *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, logger: logger}
	return c, c.readLocked()
}

// get returns the key pair. It is a function for tls.Config.GetCertificate. When the
// files have changed but cannot be used, it logs the error and returns the old pair,
// because files may be incomplete for a moment while they are replaced.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checkedAt) >= certificateCheckEvery {
		c.checkedAt = now
		if at, err := c.modified(); err == nil && !at.Equal(c.modifiedAt) {
			if err := c.readLocked(); err != nil {
				c.logger.Error("the new certificate cannot be used; the old one stays", "error", err)
			}
		}
	}
	return c.pair, nil
}

// readLocked reads the key pair. The caller must hold c.mu, unless no other goroutine
// has c yet.
func (c *certificate) readLocked() error {
	at, err := c.modified()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("cannot use the certificate: %w", err)
	}
	c.pair, c.modifiedAt = &pair, at
	return nil
}

// modified returns when the newer of the two files was written.
func (c *certificate) modified() (newest time.Time, err error) {
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return time.Time{}, fmt.Errorf("cannot use the certificate: %w", err)
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}
