package pages

import "github.com/maxence-charriere/go-app/v10/pkg/app"

// A page is one page of the app. It owns everything that it keeps between two renders. Only the UI goroutine calls its
// methods.
type page interface {
	// render returns the elements of the page. Root calls it only while the page is shown and the user is signed in.
	render(h *host) app.UI

	// arrive handles an arrival: the page may have to load something. It must not block.
	arrive(h *host, a arrival)

	// forget drops everything that belongs to the user. Root calls it after a sign-out and after a change of the
	// user's rights.
	forget()
}

// An arrival is a change to which a page may have to react.
type arrival int

const (
	// pageOpened arrives at the page that is shown. The user has opened it, its address has changed, or a user has
	// signed in.
	pageOpened arrival = iota

	// brokerReachable arrives at all pages when the connection to the broker is back.
	brokerReachable

	// stateChanged arrives at all pages when host.state has changed.
	stateChanged
)

// A subjectPage is a page about one thing, which may not exist.
type subjectPage interface {
	page

	// isMissing reports whether the broker has answered that the thing does not exist, or that the user may not see it.
	isMissing(h *host) bool
}

// basicPage has the methods of a page that asks the broker for nothing and keeps nothing of the user. Pages embed it
// and replace the methods that they need.
type basicPage struct{}

func (basicPage) arrive(*host, arrival) {}

func (basicPage) forget() {}

// newPages returns a value of each page, by the key of its route.
func newPages() map[string]page {
	return map[string]page{
		"dashboard":     &dashboardPage{},
		"events":        &historyPage{},
		"rentals":       &rentalsPage{},
		"rental":        &rentalPage{},
		"equipment":     &equipmentPage{},
		"unit":          &machinePage{},
		"employees":     &employeesPage{},
		"customers":     &customersPage{},
		"notifications": &notificationsPage{},
		"outbox":        &outboxPage{},
		"test":          &testPage{},
		"admin":         &adminPage{},
		"settings":      &settingsPage{},
	}
}
