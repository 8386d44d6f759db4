// Package loop runs a client: it drives the machines of packages conn, tabs and outbox, and carries out their effects.
package loop
