//go:build !unix

package standin

// atTerminal is true: elsewhere the system tells all programs of a console.
func atTerminal() bool { return true }
