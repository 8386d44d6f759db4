// Package browser drives a real Chromium for the tests.
//
// # Usage
//
// A test binary has one browser: its TestMain calls [Main], which starts and stops the browser. A test calls [NewUser]
// for a [User], which is a browser context with cookies, storage and workers of its own. [User.NewTab] opens a [Tab].
// The test opens a page with [Tab.Open], acts with [Tab.Click] and [Tab.Type], and waits with [Tab.Eventually] until an
// expression of JavaScript is true. [Eval] returns the value of an expression.
//
// # Guarantees
//
// Users share no data, and end with their test. All tabs of a user share one window, so exactly one of them has the
// focus. The browser throttles hidden tabs as it does for users.
//
// A tab records every console error, exception, failed request and violation of the content security policy as a
// [Problem]. [Tab.Problems] returns them.
//
// # Concurrency
//
// Tests may run in parallel, each with users of its own. Only one goroutine at a time may use a user or a tab.
//
// # Errors
//
// A command that fails or takes longer than 20 s ends the test as [testing.TB.Fatalf] does. Only the goroutine of the
// test may therefore call the functions of this package.
package browser
