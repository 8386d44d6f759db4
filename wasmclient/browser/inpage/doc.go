// Package inpage holds the tests of the features that only a page has: locks, channels and IndexedDB.
// Node has none of them. The end-to-end tests run this package in Chromium.
package inpage
