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
	// ID identifies the user in events and grants. It is unique in the file.
	ID string `json:"id"`
	// Name is the name that the user signs in with. It is unique in the file.
	Name string `json:"name"`
	// Password is the argon2id hash (RFC 9106) of the password, in PHC form.
	Password string `json:"password"`
	// Roles holds the user's roles.
	Roles []access.Role `json:"roles"`
	// Employee is the user's employee id. 0 means that the user is no employee.
	Employee int64 `json:"employee,omitempty"`
	// Disabled keeps the user from signing in.
	Disabled bool `json:"disabled,omitempty"`
}

func (u User) grant() (access.Grant, error) {
	return access.NewGrant(u.ID, u.Name, u.Roles, u.Employee)
}

// Users is the Directory of a users file. The file may change while the broker
// runs. Users is safe for concurrent use.
type Users struct {
	path string
	// hashSlots holds a value for each password that is being hashed. Its capacity is
	// maxConcurrentHashes.
	hashSlots chan struct{}

	mu     sync.Mutex // guards all below
	users  []User
	loaded os.FileInfo // of the file when Refresh last read it
}

var _ Directory = (*Users)(nil)

// UsersFile is the name of the users file in a data directory.
const UsersFile = "users.json"

// UsersPath returns the path of the users file of a data directory.
func UsersPath(dir string) string { return filepath.Join(dir, UsersFile) }

// maxConcurrentHashes is the number of passwords that are hashed at once. It bounds
// the memory of sign-ins, because each hash needs 19 MiB.
const maxConcurrentHashes = 2

// hashParams holds the smallest parameters that OWASP recommends for argon2id.
// Memory is in KiB.
var hashParams = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// decoyHash returns the hash that CheckPassword compares with when there is no such
// user. An unknown user then takes as long as a wrong password.
var decoyHash = sync.OnceValue(func() string {
	hash, err := argon2id.CreateHash("nobody", hashParams)
	if err != nil {
		panic(err) // The parameters are constant.
	}
	return hash
})

// OpenUsers reads a users file. When the file has no users, the error tells the
// operator how to add one.
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

// Refresh implements Directory. With an error the previous users stay. Refresh
// returns the error of a damaged file once, and then again when the file changes.
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
	u.loaded = info
	if err != nil {
		return false, err
	}
	u.users = users
	return true, nil
}

// CheckPassword implements Directory. It waits while maxConcurrentHashes other
// passwords are being hashed.
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

// PasswordlessUsers implements Directory. Every user of the file needs a password.
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

// ReadUsers returns the users of a file. Without a file it returns none.
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

// maxName is the most bytes of a user's name.
const maxName = 64

// checkUser returns an error, meant for the operator, when an entry is not valid.
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

// HashPassword returns the value of User.Password for a password. The password
// must have 8 to 1024 bytes.
func HashPassword(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", fmt.Errorf("a password has %d to %d characters", minPassword, maxPassword)
	}
	return argon2id.CreateHash(password, hashParams)
}

// EditUsers replaces the users of a file by those that edit returns. It makes the
// file when there is none. A lock makes other calls of EditUsers wait, also those
// of other processes. A broker that reads the file meanwhile finds either the
// old or the new content.
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

// EditUser changes one user of a file, like EditUsers.
func EditUser(path, name string, edit func(*User) error) error {
	return EditUsers(path, func(users []User) ([]User, error) {
		i := indexOf(users, name)
		if i < 0 {
			return nil, fmt.Errorf("there is no user %q", name)
		}
		return users, edit(&users[i])
	})
}
