package e2e

// appPages are the app's pages, each with something to show after a while of the
// demo company, or of the example of each type.
var appPages = []string{"/", "/events", "/rentals", "/rentals/123", "/equipment", "/equipment/7", "/employees", "/customers", "/notifications", "/outbox", "/sse-test", "/admin", "/settings"}
