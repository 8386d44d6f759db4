package port

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Memory is a Storage that forgets everything when the program ends. The zero Memory is empty.
type Memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

// Load implements Storage.
func (m *Memory) Load(_ context.Context, prefix string) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string][]byte{}
	for key, value := range m.values {
		if strings.HasPrefix(key, prefix) {
			found[key] = slices.Clone(value)
		}
	}
	return found, nil
}

// Save implements Storage.
func (m *Memory) Save(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[key] = slices.Clone(value)
	return nil
}

// Delete implements Storage.
func (m *Memory) Delete(_ context.Context, prefix string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.values, func(key string, _ []byte) bool { return strings.HasPrefix(key, prefix) })
	return nil
}
