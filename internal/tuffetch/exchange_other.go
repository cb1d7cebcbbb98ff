//go:build !linux

package tuffetch

import "errors"

// exchange is for systems that can swap two folders at once.
func exchange(string, string) error { return errors.ErrUnsupported }
