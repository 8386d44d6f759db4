package broker

import (
	"fmt"
	"time"

	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/push"
)

// Codes of the warnings that GET /readyz lists.
const (
	WarnPushContact  = "push_contact"      // Config.PushContact is the placeholder
	WarnPushRefused  = "push_refused"      // a push service refuses pushes to a device
	WarnIdentityKeys = "identity_keys"     // the identity provider's keys could not be read
	WarnZones        = "no_time_zones"     // the machine has no table of time zones
	WarnNATS         = "old_nats"          // the NATS server is too old
	WarnSignIn       = "sign_in_needs_tls" // browsers on other machines cannot sign in
)

// commonZone is a time zone that every table of time zones has.
const commonZone = "Europe/Berlin"

// loadZone finds a time zone in the table of this machine, or in the one that is
// linked into the program. Tests replace it.
var loadZone = time.LoadLocation

// The oldest version of a NATS server that the log needs: streams have metadata since
// 2.10, and markers of deleted keys expire since 2.11.
const natsMajor, natsMinor = 2, 11

// isOldNATS tells whether the version of a NATS server is older than natsMajor and
// natsMinor. A version that cannot be parsed counts as new.
func isOldNATS(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major < natsMajor || major == natsMajor && minor < natsMinor
}

// logWarnings logs the warnings that exist when the broker starts.
func (b *Broker) logWarnings() {
	for _, w := range b.warnings() {
		b.c.Logger.Warn(w.Detail, "code", w.Code)
	}
}

// warnings returns the faults that an operator should repair although the broker
// serves. It is safe for concurrent use.
func (b *Broker) warnings() (all []httpapi.Warning) {
	warn := func(code, detail string) { all = append(all, httpapi.Warning{Code: code, Detail: detail}) }
	if push.IsPlaceholderContact(b.c.PushContact) {
		warn(
			WarnPushContact,
			"Push services have no address that they can write to, and some of them refuse pushes for that. Set "+
				"--push-contact to a mailbox that somebody reads, such as mailto:ops@ followed by your company's "+
				"domain.",
		)
	}
	if b.c.signInNeedsTLS() {
		warn(WarnSignIn, "Browsers of other machines cannot sign in, because they keep the session's cookie over "+
			"HTTPS alone. Use --tls-cert and --tls-key, or a proxy with TLS that --trusted-proxies names.")
	}
	if b.push.HasRefusedDevice() {
		warn(
			WarnPushRefused,
			"A push service refuses pushes to a device. See the broker's log for its answer; check --push-contact and "+
				"the clock of this machine.",
		)
	}
	// A server may be replaced by an older one while the broker runs.
	if server, ok := b.log.(interface{ ServerVersion() string }); ok && isOldNATS(server.ServerVersion()) {
		warn(
			WarnNATS,
			fmt.Sprintf(
				"The NATS server has version %.20s, and Yardline needs %d.%d or later: update it.",
				server.ServerVersion(),
				natsMajor,
				natsMinor,
			),
		)
	}
	if b.issuer != nil && b.issuer.KeysError() != nil {
		warn(
			WarnIdentityKeys,
			"The identity provider's keys could not be read at the last try; those read before, if any, stay in "+
				"force. See the broker's log for the cause, and check --jwt-jwks.",
		)
	}
	if _, err := loadZone(commonZone); err != nil {
		warn(
			WarnZones,
			"This machine has no table of time zones, so that quiet times in a zone of their own do not work. Install "+
				"the package tzdata.",
		)
	}
	return all
}
