// Package e2e tests the whole: real brokers as users start them (stack), and
// a real Chromium (browser).
package e2e
