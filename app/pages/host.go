package pages

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient"
)

// A host serves the pages: it holds the state of the session, sends requests to the broker, shows the dialog, and makes
// the buttons that publish events. Root owns the one host. Only the UI goroutine uses it.
type host struct {
	live *live.Live
	ctx  app.Context   // of Root, for callbacks of other goroutines
	stop chan struct{} // closed when Root is dismounted

	state  live.State // the last one
	now    time.Time  // when state was taken
	path   string     // of the address
	query  string     // of the address
	narrow bool       // the window has the layout of a phone

	userSerial int     // counts the changes of the user, so that answers for an earlier user are dropped
	dialog     *dialog // nil for none

	publishedAt  map[string]time.Time // when the user last published an event about a subject; see isWaiting
	reportCopied bool                 // the user has copied the report of the connection
}

func (h *host) grant() access.Grant { return h.state.User.Grant() }

func (h *host) isSignedIn() bool { return h.state.Phase == live.SignedIn }

// route returns the route of the address, or nil.
func (h *host) route() *route { return findRoute(h.path, h.grant()) }

// isOpen reports whether the page with a key is shown to a user.
func (h *host) isOpen(key string) bool {
	r := h.route()
	return h.isSignedIn() && r != nil && r.key == key
}

// id returns the part of the path that stands for {id}.
func (h *host) id() string {
	if r := h.route(); r != nil {
		id, _ := matchPattern(r.pattern, h.path)
		return id
	}
	return ""
}

// frame returns the frame of a page: its title, the time of its data unless they are live, and its content.
func (h *host) frame(title string, children ...app.UI) app.UI {
	asOf, class := h.asOf(), "page"
	if !asOf.IsZero() {
		class += " page-outdated"
	}
	head := ui.El("div", "page-head",
		ui.TextEl("h1", "", title),
		ui.If(!asOf.IsZero(), func() app.UI {
			return ui.TextEl("p", "as-of", text.Of("as_of", text.When(asOf, h.now)))
		}))
	return ui.El("div", class, append([]app.UI{head}, children...)...)
}

// asOf returns the time at which the data on the page was true. It returns the zero time while the data is live.
func (h *host) asOf() time.Time {
	v := h.state.View
	if v.Connected {
		return time.Time{}
	}
	if !v.AsOf.IsZero() {
		return v.AsOf
	}
	return v.Status.Since
}

// hasNoData reports whether neither the broker nor an earlier visit has given any data.
func (h *host) hasNoData() bool { return h.state.View.Figures == nil }

// today returns the present day of the installation, or of this browser while the installation's is unknown.
func (h *host) today() string {
	return cmp.Or(h.state.View.Today, text.Local(h.now).Format(time.DateOnly))
}

// entities returns the last states of all things of a type. With openOnly it leaves out those that are closed.
func (h *host) entities(t event.Type, openOnly bool) (all []*projection.Entity) {
	for _, e := range h.state.Entities {
		if e.Type == t && (!openOnly || e.Closed.IsZero()) {
			all = append(all, e)
		}
	}
	return all
}

// newestEntities returns the last states of all things of a type, the latest first.
func (h *host) newestEntities(t event.Type) []*projection.Entity {
	all := h.entities(t, false)
	slices.SortFunc(all, func(a, b *projection.Entity) int {
		return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(a.Key, b.Key))
	})
	return all
}

// lastEvent returns an event with the fields and the time of an entity's last state.
func lastEvent(e *projection.Entity) event.Event {
	return event.Event{Type: e.Type, Data: e.Fields, Time: e.Time}.Stamp("", e.Time)
}

// requestTimeout bounds how long a page waits for an answer.
const requestTimeout = 20 * time.Second

// request calls work in a goroutine of its own, with a context that ends after requestTimeout. Then it calls done with
// the error of work on the UI goroutine. It drops the answer if the user or the user's rights have changed meanwhile.
func (h *host) request(work func(ctx context.Context) error, done func(err error)) {
	serial := h.userSerial
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		defer cancel()
		err := work(ctx)
		h.ctx.Dispatch(func(app.Context) {
			if serial == h.userSerial {
				done(err)
			}
		})
	}()
}

// withClient returns a function that calls do with the client of the user, if there is one.
func (h *host) withClient(do func(*wasmclient.Client)) func() {
	return func() { h.live.WithClient(do) }
}

// signOut signs the user out without waiting for it.
func (h *host) signOut() { go h.live.SignOut(context.Background()) }

func (h *host) status() ui.Status { return ui.Status{View: h.state.View, Now: h.now} }

// connectionActions returns the functions with which the user controls the connection. None of them waits.
func (h *host) connectionActions() ui.Actions {
	return ui.Actions{
		Connect:    h.withClient((*wasmclient.Client).Connect),
		Disconnect: h.withClient((*wasmclient.Client).Disconnect),
		Pause:      h.withClient((*wasmclient.Client).Pause),
		Resume:     h.withClient((*wasmclient.Client).Resume),
		SignIn:     func() { go h.live.Reauthenticate(context.Background()) },
		Reload:     reload,
		CopyReport: func() {
			h.reportCopied = true
			device.Copy(h.live.Report())
		},
	}
}

// connectionPanel renders the connection with all its details.
func (h *host) connectionPanel() app.UI {
	s := h.status()
	s.Transitions, s.ReportCopied = h.live.Transitions(), h.reportCopied
	return s.Panel(h.connectionActions())
}

// outbox lists the events that were written in this browser.
func (h *host) outbox() app.UI {
	retry := func(id string) { h.live.WithClient(func(c *wasmclient.Client) { c.RetryItem(id) }) }
	discard := func(id string) { h.live.WithClient(func(c *wasmclient.Client) { c.DiscardItem(id) }) }
	return ui.Outbox(h.state.View.Outbox, h.state.Tab, retry, discard)
}

// userName returns the name of a user as people read it. It returns the id of a user without a name, because the token
// of an identity provider may lack a name.
func userName(u wasmclient.User) string {
	if u.Name == "" {
		return u.ID
	}
	return text.Label(u.Name)
}
