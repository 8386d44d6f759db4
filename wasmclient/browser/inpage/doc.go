// Package inpage holds the tests of what only a page has: locks, channels,
// IndexedDB. Node has none of them; the end-to-end tests run this package in
// Chromium.
package inpage
