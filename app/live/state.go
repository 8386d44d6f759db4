package live

import (
	"time"

	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// Phase says whether the app knows its user.
type Phase int

// The phases.
const (
	Loading   Phase = iota // the app asks the broker for the session
	Failed                 // the broker did not answer; the app asks again
	SignedOut              // no user is signed in
	SignedIn               // a user is signed in, and has a client
)

// State is everything that pages show, at one moment. Its parts are not changed later.
type State struct {
	Phase   Phase
	Failure string              // Failure says why the user's last action failed. Empty means that it did not.
	Warning *wasmclient.Warning // Warning is the broker's, about the session. Nil means none.

	// GatewaySignIn reports that a gateway answered with its sign-in page in place of the broker.
	// The user has to reload the page.
	GatewaySignIn bool

	Users  []string // Users are the names of users who may sign in by name alone.
	SignIn string   // SignIn is the way to sign in; see wasmclient.Session.

	User     wasmclient.User
	Tab      string // Tab is the name of this tab.
	View     wasmclient.View
	Entities []*projection.Entity
	Trends   map[string]Trend // Trends are the figures' trends, by the name of the figure.

	// Gap is the time at which the client learned that events were lost for good. It is zero if
	// none were, or if the user has dismissed the message.
	Gap time.Time
}

// State returns the present state.
func (l *Live) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := State{
		Phase:         l.phase,
		Failure:       l.failure,
		Warning:       l.session.Warning,
		GatewaySignIn: l.gatewaySignIn,
		Users:         l.session.Users,
		SignIn:        l.session.SignIn,
		Tab:           l.env.Page.Tab(),
	}
	if l.session.User != nil {
		s.User = *l.session.User
	}
	if l.client != nil {
		s.View, s.Entities = l.client.View(), l.client.Entities()
		if s.View.Connected && s.View.AsOf.IsZero() && s.View.Figures != nil {
			l.updateTrendsLocked(s.View.Figures, time.Now())
		}
		s.GatewaySignIn = s.GatewaySignIn || s.View.Status.Code == conn.LoginRedirect
		s.Trends, s.Gap = l.trends.clone(), l.gapAt
	}
	return s
}
