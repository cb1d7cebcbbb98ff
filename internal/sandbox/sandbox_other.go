//go:build !linux

package sandbox

import "runtime"

func (s *State) enter([]Output) { s.offered(nil) }

func (s *State) offered([]Output) { s.lack("%s has none that modseal knows", runtime.GOOS) }
