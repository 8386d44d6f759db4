// Package e2e is the root of the tests of the whole product. They run real brokers as users start them (package stack)
// and a real Chromium (package browser); testkit has the helpers that several test packages share.
//
// Each folder has the tests of one concern. Each of them except chaos, edge and stress starts its own browser:
//
//   - chaos: power cuts, which need root; "make chaos" runs them;
//   - connection: tabs that share a stream, outages, proxies, and events that are written offline;
//   - device: the service worker, push messages, and browsers that lack a feature;
//   - edge: the hub on Cloudflare Workers, in a real workerd;
//   - embed: the status widget and pages of other origins;
//   - identity: identity providers, and what each role may see;
//   - pages: the pages of the app, their layout, keyboard and accessibility;
//   - server: the broker's process, its interfaces, its readers and the proxies in front of it;
//   - speed: delays, memory and layout shifts. These tests measure, so make runs them alone;
//   - stress: slow readers, and many that resume at once. These tests measure, too.
//
// A helper whose name begins with require fails the test unless a condition holds. A helper whose name begins with test
// is the body of a subtest.
package e2e
