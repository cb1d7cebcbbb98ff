// Buildservers brings up to date what the tests of this module run as commands: the servers, and cosign. The tests do so
// themselves; done beforehand, no compiler is in the way of those of them that are about time.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/modseal/modseal/e2e/stack"
)

func main() {
	for _, build := range []func(context.Context, stack.BuildOptions) (string, error){stack.BuildRekor, stack.BuildCosign} {
		began := time.Now()
		binary, err := build(context.Background(), stack.BuildOptions{})
		if err != nil {
			fmt.Fprintln(os.Stderr, "buildservers:", err)
			os.Exit(1)
		}
		fmt.Printf("%s: up to date in %.0f s\n", binary, time.Since(began).Seconds())
	}
}
