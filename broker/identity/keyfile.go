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

// OpenTokens reads the key of a data directory, and makes one where there is
// none.
func OpenTokens(dir string) (*Tokens, error) {
	if err := datadir.Make(dir); err != nil {
		return nil, err
	}
	if err := makeKey(filepath.Join(dir, KeyFile)); err != nil {
		return nil, fmt.Errorf("cannot make the token key: %w", err)
	}
	return LoadTokens(dir)
}

// LoadTokens reads the key of a broker's data directory.
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

// RotateKey gives a broker's data directory another key: all tokens that were
// signed so far are worth nothing then, also to a broker that runs.
func RotateKey(dir string) error {
	if _, err := LoadTokens(dir); err != nil {
		return err
	}
	return datadir.Replace(filepath.Join(dir, KeyFile), newKey())
}

func newKey() []byte {
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails since Go 1.24
	return []byte(hex.EncodeToString(key) + "\n")
}

// makeKey writes a whole key where there is none. Of several processes that try
// at once, the first one makes the key and the others use it.
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
