// Command edge is the program that worker.mjs runs, as the front and as the object of a tenant.
package main

import (
	"fmt"
	"os"

	"github.com/snd-rental/yardline/broker/edge"
)

func main() {
	err := edge.Run() // returns only when the program cannot start
	fmt.Fprintln(os.Stderr, "yardline cannot start:", err)
	os.Exit(1)
}
