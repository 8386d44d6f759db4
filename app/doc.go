// Package app is the module of the web app, which runs in the browser as WebAssembly and can be installed.
//
//   - live connects the pages to the client: it holds the session and tells the pages of changes.
//   - pages holds the pages and the shell around them.
//   - ui holds the controls that the pages are made of.
//   - text holds the texts, and formats numbers, money and times.
//   - device speaks to the browser.
//   - cmd/web is the program that the browser loads.
//   - cmd/build makes the files that the broker serves.
//   - web holds the icons and the style sheets, and widget the status widget for other sites.
//
// Package app itself only has the test of the rules of imports.
package app
