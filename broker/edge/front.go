package edge

import (
	"encoding/json"
	"net/http"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
)

// Headers of the front's answer for a request that it accepts. worker.mjs reads them, and passes
// them on to no client.
const (
	// passHeader has the value of identity.ForwardedIdentityHeader for the client, or "-" for a
	// request that needs no sign-in.
	passHeader = "Yardline-Pass"
	// tenantHeader has the tenant whose object gets the request.
	tenantHeader = "Yardline-Tenant"
	// warningsHeader has the front's own warnings, in JSON, for an answer of /readyz.
	warningsHeader = "Yardline-Warnings"
)

// newFront returns the handler of the front. Its answer for a request that it accepts has the
// headers above and no body. It answers the other requests itself.
func newFront(c Config, keys *keyring) http.Handler {
	authority := &identity.Authority{Tokens: c.Tokens, Issuer: c.Issuer, MultiTenant: c.Origin == ""}
	if c.Dev {
		authority.Directory = identity.DemoDirectory{Tenant: c.Tenant}
		authority.Sessions = identity.SignedSessions{Tokens: c.Tokens, Secure: httpapi.NeedsSecureCookie}
	}
	checks := c.hub()
	checks.Log = memlog.New("front", 0) // nothing is stored here
	pass := func(w http.ResponseWriter, r *http.Request, p *identity.Principal) {
		if warnings := keys.warnings(); r.URL.Path == "/readyz" && len(warnings) > 0 {
			text, _ := json.Marshal(warnings) // strings always marshal
			w.Header().Set(warningsHeader, string(text))
		}
		w.Header().Set(tenantHeader, c.Tenant)
		w.Header().Set(passHeader, "-")
		if p != nil {
			w.Header().Set(passHeader, identity.EncodeForwardedIdentity(*p))
		}
		if p != nil && p.Grant.Tenant != "" {
			w.Header().Set(tenantHeader, p.Grant.Tenant)
		}
		w.WriteHeader(http.StatusNoContent)
	}
	return httpapi.NewFront(httpapi.Config{
		Hub:          hub.New(checks),
		Authority:    authority,
		UI:           http.NotFoundHandler(),
		Logger:       c.Logger,
		IsDraining:   func() bool { return false },
		HSTS:         httpapi.DefaultHSTS,
		LoopbackOnly: c.Dev,
		Origins:      c.Origins,
	}, pass)
}
