package doctor

import (
	"context"
	"encoding/json"
	"io"

	"github.com/snd-rental/yardline/broker/loopback"
)

// maxSessionBytes is the number of bytes of the answer about the session that are read.
const maxSessionBytes = 64 << 10

// checkSignIn reports the user of the token, and how users sign in.
func (x *examination) checkSignIn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := x.get(ctx, "/api/session")
	if err != nil {
		x.report("sign-in", Failed, "See the broker's log.", "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	var session struct {
		User *struct {
			ID    string
			Roles []string
		}
		SignIn string `json:"sign_in"`
	}
	if to := answer.Header.Get("Location"); to != "" && answer.StatusCode >= 300 && answer.StatusCode < 400 {
		x.report(
			"sign-in",
			Failed,
			"Let the proxy that people sign in at pass on /api/ and /embed/: programs cannot sign in there.",
			"Requests to /api/ are sent on to %.100s%s.",
			to,
			servedBy(answer),
		)
		return
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSessionBytes))
	if p := problemOf(answer, body); p != nil {
		x.reportRefusal("sign-in", "to say who the token is", answer, p)
		return
	}
	if err != nil || json.Unmarshal(body, &session) != nil || session.SignIn == "" {
		x.report(
			"sign-in",
			Failed,
			"Let the proxy pass /api/ on unchanged.",
			"The answer is not the broker's: status %d%s.",
			answer.StatusCode,
			servedBy(answer),
		)
		return
	}
	if session.User != nil {
		x.roles = session.User.Roles
	}
	how := map[string]string{"name": "by name alone (dev)", "password": "with a password",
		"provider": "with an identity provider"}[session.SignIn]
	switch {
	case session.SignIn == "name" && !loopback.IsHost(x.base.Hostname()):
		x.report("sign-in", Failed, "Start the broker with --auth users or --auth jwt.",
			"Anybody can sign in as anybody.")
	case x.Token != "" && x.basic == nil && session.User == nil:
		x.report(
			"sign-in",
			Failed,
			"Sign a new one: yardline token. If it is new, a proxy may drop the Authorization header.",
			"The broker does not know the token. People sign in %s.",
			how,
		)
	case session.User != nil:
		x.report("sign-in", OK, "", "The token is that of %s. People sign in %s.", session.User.ID, how)
	default:
		x.report("sign-in", OK, "", "People sign in %s.", how)
	}
}
