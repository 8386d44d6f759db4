// Package e2e is the root of the tests of the whole product. They run real brokers as users start them (package stack)
// and a real Chromium (package browser); testkit has what several of the test packages share.
//
// Each folder has the tests of one concern and starts its own browser:
//
//   - connection: tabs that share a stream, outages, proxies, and what is written offline;
//   - device: the service worker, push messages, and browsers that lack a feature;
//   - edge: the hub on Cloudflare Workers, in a real workerd;
//   - embed: the status widget and pages of other origins;
//   - identity: identity providers, and what each role may see;
//   - pages: the pages of the app, for the eye, the keyboard and the screen reader;
//   - server: the broker's process, its interfaces, its readers and the proxies before it;
//   - speed: what must be fast. These tests measure, so make runs them alone.
package e2e
