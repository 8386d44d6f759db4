// Package pushtest provides a browser and its push service for tests. The service
// decrypts each push (RFC 8291, RFC 8188) and verifies its sender (RFC 8292). A push
// that a browser would refuse fails the test.
package pushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/shared/notify"
)

// A Delivery is one push as it arrived.
type Delivery struct {
	notify.Message
	Body   []byte // the decrypted message
	Header http.Header
}

// A Device is a browser that has subscribed at a push service on loopback. It is safe
// for concurrent use.
type Device struct {
	t       testing.TB
	private *ecdh.PrivateKey
	auth    []byte
	server  *httptest.Server

	mu         sync.Mutex // guards all below
	deliveries []Delivery
	attempts   int
	answer     int           // the status of the next answers; 0 means that pushes are accepted
	answerBody string        // the body of an answer with that status
	grown      chan struct{} // closed and replaced when deliveries grows
}

// New returns a Device whose push service runs until the test ends.
func New(t testing.TB) *Device {
	t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &Device{t: t, private: private, auth: []byte("0123456789abcdef"), grown: make(chan struct{})}
	d.server = httptest.NewServer(http.HandlerFunc(d.handlePush))
	t.Cleanup(d.server.Close)
	return d
}

// Subscription returns the subscription that a browser would give to the page.
func (d *Device) Subscription() (s push.Subscription) {
	s.Endpoint = d.server.URL + "/push/1"
	s.Keys.P256dh = base64.RawURLEncoding.EncodeToString(d.private.PublicKey().Bytes())
	s.Keys.Auth = base64.RawURLEncoding.EncodeToString(d.auth)
	return s
}

// SetAnswer makes the service answer with this status. 0 makes it accept pushes again.
func (d *Device) SetAnswer(status int) { d.SetAnswerWithBody(status, "") }

// SetAnswerWithBody is like SetAnswer, but the answer also has a body.
func (d *Device) SetAnswerWithBody(status int, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer, d.answerBody = status, body
}

// Attempts returns the number of pushes that were sent to the device, accepted or not.
func (d *Device) Attempts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.attempts
}

// Deliveries returns the pushes that the service has accepted, and a channel that is
// closed when it accepts another one.
func (d *Device) Deliveries() ([]Delivery, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.deliveries), d.grown
}

// handlePush is the handler of the push service.
func (d *Device) handlePush(w http.ResponseWriter, r *http.Request) {
	delivery, err := d.readPush(r)
	if err != nil {
		d.t.Errorf("a push that no browser would take: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attempts++
	if d.answer != 0 {
		w.WriteHeader(d.answer)
		io.WriteString(w, d.answerBody)
		return
	}
	d.deliveries = append(d.deliveries, delivery)
	close(d.grown)
	d.grown = make(chan struct{})
	w.WriteHeader(http.StatusCreated)
}

// readPush verifies the sender of a push and decrypts it.
func (d *Device) readPush(r *http.Request) (got Delivery, err error) {
	got.Header = r.Header
	if err := checkSender(r); err != nil {
		return got, err
	}
	sealed, err := io.ReadAll(r.Body)
	if err != nil {
		return got, err
	}
	if got.Body, err = d.decrypt(sealed); err != nil {
		return got, err
	}
	return got, json.Unmarshal(got.Body, &got.Message)
}

// checkSender verifies the VAPID token of a push with the key beside it.
func checkSender(r *http.Request) error {
	parts, ok := strings.CutPrefix(r.Header.Get("Authorization"), "vapid t=")
	token, key, found := strings.Cut(parts, ", k=")
	if !ok || !found {
		return fmt.Errorf("no VAPID in %q", r.Header.Get("Authorization"))
	}
	raw, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil {
		return err
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return err
	}
	claims := jwt.MapClaims{}
	_, err = jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return public, nil },
		jwt.WithAudience("http://"+r.Host), jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{"ES256"}))
	subject, _ := claims.GetSubject()
	isAddress := strings.HasPrefix(subject, "mailto:") || strings.HasPrefix(subject, "https:")
	if err == nil && !isAddress {
		err = fmt.Errorf("nobody to write to: %q", subject)
	}
	// RFC 8292, section 2: at most 24 hours.
	if until, _ := claims.GetExpirationTime(); err == nil && time.Until(until.Time) > 24*time.Hour {
		err = fmt.Errorf("good for too long: until %v", until)
	}
	return err
}

// decrypt decrypts a body that consists of one record of aes128gcm (RFC 8188).
func (d *Device) decrypt(sealed []byte) ([]byte, error) {
	if len(sealed) < 21+65 || sealed[20] != 65 {
		return nil, errors.New("no header of RFC 8188")
	}
	salt, size, sender, text := sealed[:16], binary.BigEndian.Uint32(sealed[16:20]), sealed[21:86], sealed[86:]
	if uint32(len(text)) > size {
		return nil, errors.New("more than one record")
	}
	theirs, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	secret, err := d.private.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(d.private.PublicKey().Bytes()) + string(sender)
	material, err := hkdf.Key(sha256.New, secret, d.auth, info, 32)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, material, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, material, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, text, nil)
	if err != nil {
		return nil, err
	}
	plain = []byte(strings.TrimRight(string(plain), "\x00"))
	if len(plain) == 0 || plain[len(plain)-1] != 2 {
		return nil, errors.New("not the last record")
	}
	return plain[:len(plain)-1], nil
}
