// Package device is what the app has of the browser beside its page and its
// client: settings, themes, files, the badge of the app's icon, push. Outside a
// browser nothing is there, and nothing happens.
package device
