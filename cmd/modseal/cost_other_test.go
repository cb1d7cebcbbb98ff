//go:build !linux

package main

// programs are what this test binary is when it is called so.
func programs() map[string]func() { return map[string]func(){"modseal": main} }
