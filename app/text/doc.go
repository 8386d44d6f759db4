// Package text holds every text of the app, and writes numbers, money and times as the reader's
// browser does. The reader is the person who uses the app.
//
// # Usage
//
// [Of] returns the text of a key, [Count] a text with a number, and [Label] the words for a name of
// the vocabulary. [Number], [Money], [DateTime], [Relative] and others write values. A second
// language would be a second map beside English.
//
// The texts of events (the lines of feed and toasts) are in package shared/event, because the broker
// pushes them too.
//
// # Concurrency
//
// All functions are safe for concurrent use.
package text
