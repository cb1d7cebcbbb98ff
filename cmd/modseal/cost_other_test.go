//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// programs are what this test binary is when it is called so.
func programs() map[string]func() { return map[string]func(){"modseal": main} }

// kill is for where processes are killed, and the user is changed, as on Linux.
func kill(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("on Linux alone") }
