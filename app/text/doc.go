// Package text holds every text of the app, and writes numbers, money and times
// as the reader's browser does. A second language is a second map beside
// English.
//
// What an event says (the lines of feed and toasts) is part of the vocabulary,
// in shared/event, since the broker pushes it too.
package text
