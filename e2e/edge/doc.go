// Package edge tests the hub on Cloudflare Workers. It runs the built worker in workerd, the runtime of Cloudflare
// Workers.
//
// The tests use these words, as [github.com/snd-rental/yardline/broker/edge] does:
//
//   - the edge is the whole installation on Workers;
//   - the front is its stateless part, which identifies clients;
//   - an object is the Durable Object that holds the hub of one tenant;
//   - the program is the Go program, compiled to wasm, that the front and the objects run;
//   - a gate is a front that passes requests on to a broker elsewhere.
package edge
