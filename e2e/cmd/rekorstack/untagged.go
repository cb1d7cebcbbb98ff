//go:build !rekorstack

package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/modseal/modseal/e2e/stack"
)

// main stands in for the real one where the servers are not compiled in.
func main() {
	fmt.Fprintf(os.Stderr, "rekorstack: built without its servers; build it with\n    go build '%s' %s\n",
		strings.Join(stack.BuildFlags(), "' '"), stack.RekorCommand)
	os.Exit(2)
}
