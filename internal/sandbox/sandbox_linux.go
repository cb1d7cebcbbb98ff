package sandbox

import "os"

// An access is what must be possible for some outputs.
type access struct {
	rename bool // of files and folders, and removing them
	create bool // of files and folders
	modes  bool // to be changed
}

func needed(outputs []Output) (access, error) {
	var a access
	for _, o := range outputs {
		info, err := os.Lstat(o.Temp)
		if err != nil {
			return a, err
		}
		a.rename = true
		a.create = a.create || info.IsDir()
		a.modes = a.modes || o.Modes
	}
	return a, nil
}

func (s *State) offered(outputs []Output) {
	a, err := needed(outputs)
	if err != nil {
		s.lack("outputs: %v", err)
		return
	}
	if s.Landlock, err = landlockABI(a); err != nil {
		s.lack("Landlock: %v", err)
	}
	err = seccompOffered()
	if err != nil {
		s.lack("seccomp: %v", err)
	}
	s.Seccomp = err == nil
}

// enter goes in. Landlock is first: the filter allows none of its calls. What both
// can forbid is left to the filter where that costs less.
func (s *State) enter(outputs []Output) {
	a, err := needed(outputs)
	if err != nil {
		s.lack("outputs: %v", err)
		return
	}
	offered, by := seccompOffered(), byFilter
	if offered != nil {
		by = byLandlock
	}
	if s.Landlock, err = restrictPlaces(a, outputs, by); err != nil {
		s.Landlock = 0
		s.lack("Landlock: %v", err)
	}
	if err = offered; err == nil {
		err = restrictCalls(a)
	}
	if s.Seccomp = err == nil; s.Seccomp {
		return
	}
	s.lack("seccomp: %v", err)
	if by == byFilter && s.Landlock > 0 {
		if err := restrictTruncating(s.Landlock); err != nil {
			s.lack("Landlock: %v", err)
		}
	}
}
