package broker

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a key pair in two files, read again when they change, so
// that a renewed certificate needs no restart. It is safe for concurrent use.
type certificate struct {
	certFile, keyFile string
	logger            *slog.Logger

	mu      sync.Mutex // guards all below
	pair    *tls.Certificate
	changed time.Time // of the newer file, when it was read
	looked  time.Time
}

// lookEvery bounds how often the files are looked at.
const lookEvery = time.Second

func openCertificate(certFile, keyFile string, logger *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, logger: logger}
	return c, c.readLocked()
}

// get is for tls.Config.GetCertificate. Files that are broken, as they may be
// for a moment while they are replaced, leave the old pair in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if at, err := c.modified(); err == nil && !at.Equal(c.changed) {
			if err := c.readLocked(); err != nil {
				c.logger.Error("the new certificate cannot be used; the old one stays", "error", err)
			}
		}
	}
	return c.pair, nil
}

func (c *certificate) readLocked() error {
	at, err := c.modified()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("cannot use the certificate: %w", err)
	}
	c.pair, c.changed = &pair, at
	return nil
}

// modified is when the newer of the files was written.
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
