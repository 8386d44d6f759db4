// Command yardline is the broker and its command line.
//
// This command runs a broker with a made-up company at http://localhost:8080:
//
//	yardline serve --demo
//
// # Commands
//
//   - serve runs a broker.
//   - publish, tail and demo are clients of a broker: they send events, print them, or
//     publish those of the made-up company.
//   - token, user and restore change the data directory of a broker. Only restore needs
//     the broker to be stopped.
//   - doctor checks a deployment from outside.
//   - bench loads a broker, and measures what streams and events cost it.
//   - schema prints descriptions of the events and the API.
//
// # Flags
//
// A flag can also be set in the environment (--listen is YARDLINE_LISTEN) and in the file
// that --config names, with one flag in each line. The command line overrides the
// environment, and the environment overrides the file.
//
// # Errors
//
// The program exits with status 0 after success, with 1 after a failure, and with 2 after
// a fault in the command line or the configuration. It prints an error as one line on
// standard error.
package main
