package edge

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/identity"
)

// keyring gives an issuer the keys that worker.mjs has fetched, and logs why keys could not be
// fetched or used. It is safe for concurrent use.
type keyring struct {
	issuer *identity.Issuer // nil without an identity provider
	log    *slog.Logger
}

// set replaces the keys. When the new keys cannot be used, set keeps the old ones and returns
// false.
func (k *keyring) set(raw []byte) bool {
	before := k.issuer.KeysError()
	err := k.issuer.SetKeys(raw)
	if err != nil {
		k.logError(before, err)
	} else if before != nil && !errors.Is(before, identity.ErrNoKeys) {
		k.log.Info("the issuer's keys are renewed again")
	}
	return err == nil
}

// recordFailure records that the keys could not be fetched, and returns false.
func (k *keyring) recordFailure(reason string) bool {
	before, err := k.issuer.KeysError(), fmt.Errorf("cannot fetch the issuer's keys: %s", reason)
	k.issuer.RecordFetchError(err)
	k.logError(before, err)
	return false
}

// logError logs an error, unless it is the same as before. It would be logged often otherwise,
// because worker.mjs soon fetches the keys again.
func (k *keyring) logError(before, now error) {
	if before == nil || before.Error() != now.Error() {
		k.log.Error("the issuer's keys could not be renewed; the old ones stay, if there are any", "error", now)
	}
}

// warnings returns the front's own warnings for GET /readyz.
func (k *keyring) warnings() (all []httpapi.Warning) {
	if k.issuer != nil && k.issuer.KeysError() != nil {
		all = append(all, httpapi.Warning{Code: "identity_keys", // The broker uses the same code.
			Detail: "The identity provider's keys could not be read at the edge at the last try; the keys before, " +
				"if any, stay in force. See the worker's log for the cause, and check JWT_JWKS."})
	}
	return all
}
