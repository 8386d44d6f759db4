// Package ui holds the app's components: functions from what there is to show
// to elements. They keep no state; what the user does goes to the callbacks
// that they are given.
package ui
