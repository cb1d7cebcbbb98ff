//go:build !unix

package snapshot_test

import "errors"

func become(int) error { return nil }

func fillDisk() (func(), error) { return nil, errors.New("no limit of files here") }
