//go:build !js

package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/alexedwards/argon2id"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// A User is one entry of the users file.
type User struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Password string        `json:"password"` // hashed by argon2id (RFC 9106), in PHC form
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee,omitempty"`
	Disabled bool          `json:"disabled,omitempty"`
}

func (u User) grant() (access.Grant, error) {
	return access.NewGrant(u.ID, u.Name, u.Roles, u.Employee)
}

// Users are the users of a file, which may change while the broker runs. It is
// safe for concurrent use.
type Users struct {
	path      string
	hashSlots chan struct{} // tokens: how many passwords are hashed at once

	mu     sync.Mutex // guards all below
	users  []User
	loaded os.FileInfo
}

var _ Directory = (*Users)(nil)

// UsersFile is the users file of a data directory.
const UsersFile = "users.json"

// UsersPath is where a data directory has its users.
func UsersPath(dir string) string { return filepath.Join(dir, UsersFile) }

// maxConcurrentHashes bounds the memory that sign-ins take: each hash needs 19 MiB.
const maxConcurrentHashes = 2

// hashParams are the least that OWASP recommends for argon2id.
var hashParams = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// decoyHash makes a wrong user take as long as a wrong password.
var decoyHash = sync.OnceValue(func() string {
	hash, err := argon2id.CreateHash("nobody", hashParams)
	if err != nil {
		panic(err) // constant parameters
	}
	return hash
})

// OpenUsers reads a users file. There must be one, with somebody in it.
func OpenUsers(path string) (*Users, error) {
	u := &Users{path: path, hashSlots: make(chan struct{}, maxConcurrentHashes)}
	if _, err := u.Refresh(); err != nil {
		return nil, err
	}
	if len(u.users) == 0 {
		return nil, fmt.Errorf("there are no users yet: add one with yardline user add")
	}
	decoyHash()
	return u, nil
}

// Refresh implements Directory. A file that cannot be used leaves the users as
// they were.
func (u *Users) Refresh() (changed bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	info, err := os.Stat(u.path)
	if errors.Is(err, os.ErrNotExist) && u.loaded == nil {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot read the users: %w", err)
	}
	if u.loaded != nil && isUnchanged(u.loaded, info) {
		return false, nil
	}
	users, err := ReadUsers(u.path)
	u.loaded = info // a broken file is complained about once
	if err != nil {
		return false, err
	}
	u.users = users
	return true, nil
}

// SignIn implements Directory.
func (u *Users) CheckPassword(name, password string) (access.Grant, error) {
	user, found := u.find(name)
	hash := user.Password
	if !found || user.Disabled {
		hash = decoyHash()
	}
	u.hashSlots <- struct{}{}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	<-u.hashSlots
	if err != nil {
		return access.Grant{}, fmt.Errorf("identity: the password of %s: %w", name, err)
	}
	if !match || !found || user.Disabled {
		return access.Grant{}, ErrWrongPassword
	}
	return user.grant()
}

// User implements Directory. The stamp changes with the password.
func (u *Users) User(name string) (access.Grant, string, error) {
	user, found := u.find(name)
	if !found || user.Disabled {
		return access.Grant{}, "", ErrWrongPassword
	}
	sum := sha256.Sum256([]byte(user.Password))
	g, err := user.grant()
	return g, hex.EncodeToString(sum[:8]), err
}

// Names implements Directory: a name is not enough.
func (u *Users) PasswordlessUsers() []string { return nil }

func (u *Users) find(name string) (User, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := indexOf(u.users, name)
	if i < 0 {
		return User{}, false
	}
	return u.users[i], true
}

func indexOf(users []User, name string) int {
	return slices.IndexFunc(users, func(u User) bool { return u.Name == name })
}

// ReadUsers returns the users of a file, none where there is no file.
func ReadUsers(path string) ([]User, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the users: %w", datadir.Explain(path, err))
	}
	if raw, err = event.TrimByteOrderMark(raw); err != nil {
		return nil, fmt.Errorf("the users file %s: %w", path, err)
	}
	var file struct {
		Users []User `json:"users"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("the users file %s is damaged: %w", path, err)
	}
	for i, u := range file.Users {
		if err := checkUser(u); err != nil {
			return nil, fmt.Errorf("the users file %s: user %d: %w", path, i+1, err)
		}
	}
	return file.Users, nil
}

const maxName = 64

func checkUser(u User) error {
	if u.Name == "" || len(u.Name) > maxName || strings.TrimSpace(u.Name) != u.Name {
		return fmt.Errorf("a user's name has 1 to %d characters, not %q", maxName, u.Name)
	}
	if _, _, _, err := argon2id.DecodeHash(u.Password); err != nil {
		return fmt.Errorf("the password of %s is not hashed by argon2id: set it with yardline user passwd", u.Name)
	}
	_, err := u.grant()
	return err
}

// Bounds of a password, in bytes.
const (
	minPassword = 8
	maxPassword = 1024
)

// HashPassword returns what the users file holds of a password.
func HashPassword(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", fmt.Errorf("a password has %d to %d characters", minPassword, maxPassword)
	}
	return argon2id.CreateHash(password, hashParams)
}

// EditUsers changes a users file, and makes it where there is none. Nobody
// else changes it meanwhile, and a broker that reads it finds the old one or
// the new one, whole.
func EditUsers(path string, edit func([]User) ([]User, error)) error {
	if err := datadir.Make(filepath.Dir(path)); err != nil {
		return err
	}
	lock, err := datadir.Lock(path+".lock", true)
	if err != nil {
		return err
	}
	defer lock.Close()
	users, err := ReadUsers(path)
	if err != nil {
		return err
	}
	if users, err = edit(users); err != nil {
		return err
	}
	for i, u := range users {
		if err := checkUser(u); err != nil {
			return err
		}
		if slices.ContainsFunc(users[:i], func(o User) bool { return o.Name == u.Name || o.ID == u.ID }) {
			return fmt.Errorf("there is a user with the name or id of %s already", u.Name)
		}
	}
	raw, err := json.MarshalIndent(map[string][]User{"users": users}, "", "  ")
	if err != nil {
		return err
	}
	return datadir.Replace(path, append(raw, '\n'))
}

// EditUser changes one user of a file.
func EditUser(path, name string, edit func(*User) error) error {
	return EditUsers(path, func(users []User) ([]User, error) {
		i := indexOf(users, name)
		if i < 0 {
			return nil, fmt.Errorf("there is no user %q", name)
		}
		return users, edit(&users[i])
	})
}
