// Package device gives the app features of the browser: settings, themes, files, the badge of the
// app's icon, pushes and messages of the service worker. Outside a browser, and in browsers that lack
// a feature, its functions do nothing and return zero values.
package device
