// Package pages holds the pages of the app and the shell around them.
//
// # Pages
//
// Each page is a value with the methods render, arrive and forget (the interface page), in a file of its own. A page
// owns everything that it keeps between two renders: its loaded data, the part that is shown, the failed request.
// [Root] holds the pages in a map by the key of their route and knows nothing else of them.
//
// To add a page:
//
//  1. Write a type with the three methods. Embed basicPage if the page asks the broker for nothing, and write forget
//     all the same if the page keeps anything. A page reads the entities of the state (host.entities), the last 100
//     events (the View in host.state), or older events by a request (host.request, as history.go does).
//  2. Add its route to routes and its value to newPages.
//  3. Add its name to app/text ("page." and the key), and its icon to app/web/styles ("nav-icon-" and the key). A
//     route with an id in its path also needs the name of one entity ("page.", the key and ".of"). No test finds a
//     missing name or icon: look at the page.
//  4. Add a case to TestPagesShowTheirContent. If the page keeps anything, set it in
//     TestForgetDropsEverythingOfTheUser, which fails otherwise.
//  5. Add its path to Paths of e2e/testkit, so that the tests of accessibility, width, offline links and rights open
//     it.
//
// # The shell and the host
//
// [Root] is the one component that go-app mounts. Every path has it as its root, so that the shell stays: the header,
// the navigation, the dialog, the toasts and the live regions keep their elements when the user goes to another page.
// The shell is in shell.go, keyboard.go and announcer.go.
//
// Root lends the host to the pages. The host holds the last state of the session, sends requests to the broker, shows
// the dialog, and makes the buttons that publish events. Pages get it as an argument and never keep it.
//
// # Flow of data
//
// [live.Live] calls Root after each batch of changes. Root then copies the new state ([live.State]) into the host and
// renders. A page never changes the state. It calls host.request to ask the broker and host.send to publish an event.
//
// # Users
//
// When the user or the rights of the user change, Root calls forget of every page, and answers to earlier requests are
// dropped. Nothing of one user may stay for the next.
//
// # Concurrency
//
// Only go-app's UI goroutine calls the methods of this package. Work that waits runs in goroutines of host.request.
// Callbacks from other goroutines go through the Dispatch method of the context.
package pages
