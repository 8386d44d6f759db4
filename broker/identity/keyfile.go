//go:build !js

package identity

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/snd-rental/yardline/broker/datadir"
)

// OpenTokens reads the token key of a data directory. It makes the directory and
// the key when they do not exist.
func OpenTokens(dir string) (*Tokens, error) {
	if err := datadir.Make(dir); err != nil {
		return nil, err
	}
	if err := makeKey(filepath.Join(dir, KeyFile)); err != nil {
		return nil, fmt.Errorf("cannot make the token key: %w", err)
	}
	return LoadTokens(dir)
}

// LoadTokens reads the token key of a data directory. Unlike OpenTokens it makes
// nothing: without a key it returns an error for the operator.
func LoadTokens(dir string) (*Tokens, error) {
	t := &Tokens{path: filepath.Join(dir, KeyFile)}
	if _, err := t.Refresh(); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is no broker's data directory: there is no %s in it", dir, KeyFile)
	} else if errors.Is(err, os.ErrPermission) {
		return nil, datadir.Explain(t.path, err)
	} else if err != nil {
		return nil, err
	}
	return t, nil
}

// RotateKey replaces the token key of a data directory. All tokens that the old key
// signed are invalid then, also for a running broker.
func RotateKey(dir string) error {
	if _, err := LoadTokens(dir); err != nil {
		return err
	}
	return datadir.Replace(filepath.Join(dir, KeyFile), newKey())
}

// newKey returns the content of a new key file.
func newKey() []byte {
	key := make([]byte, keyBytes)
	rand.Read(key) // It never fails since Go 1.24.
	return []byte(hex.EncodeToString(key) + "\n")
}

// makeKey writes a key file when there is none. When several processes call it at
// once, the first one makes the key and the others keep it.
func makeKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	lock, err := datadir.Lock(path+".lock", true)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return datadir.Replace(path, newKey())
}
