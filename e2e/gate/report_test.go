package gate

import (
	"encoding/json"
	"slices"
	"strings"
)

// report is what docs/report.md says of verify --format json, as far as it is looked at here.
type report struct {
	OK     bool
	Bundle struct {
		File     string
		SealedBy []string
	}
	Policy struct{ Signers []string }
	Logs   []struct {
		Kind, Name, Problem string
		Entries             int
		Proven              bool
		Size                uint64
		Witnesses           []string
	}
	Trust *struct {
		PinnedVersion, RootVersion int
		Moved, Given               bool
		Chain, At                  string
	}
	Notes     []string
	Counts    map[string]int
	Modules   []moduleReport
	Artifacts []artifactReport
}

type artifactReport struct {
	Name, SHA256   string
	Status, Reason string
	OK             bool
	Evidence       []evidence
}

type moduleReport struct {
	Path, Version   string
	Status          string
	OK              bool
	GoModOnly       bool
	Reason, Hint    string
	Explain         []string
	OnDisk          []struct{ What, File, Digest string }
	Evidence        []evidence
	Differences     []difference
	MoreDifferences int
}

type difference struct{ File, Kind string }

type evidence struct {
	Log                                    string
	Index                                  uint64
	Of, PredicateType, Digest, Signer, Why string
	Time                                   string
	Accepted                               bool
}

// verify verifies the project by the bundle, and demands an exit code of 0 or 1.
func (s *site) verify(want int, flags ...string) *report {
	s.Helper()
	r := s.run(want, s.verifyArgs(flags...)...)
	return s.report(r.stdout, want)
}

// refuse verifies where there must be no report: nothing could be checked, or the bundle can't be trusted.
func (s *site) refuse(want int, flags ...string) result {
	s.Helper()
	r := s.run(want, s.verifyArgs(flags...)...)
	if r.stdout != "" {
		s.Errorf("exit code %d, and yet a report:\n%s", want, r.stdout)
	}
	return r
}

// verifyArgs trusts the site's own seal, where the flags don't say whose.
func (s *site) verifyArgs(flags ...string) []string {
	args := append([]string{"verify", "--format", "json"}, s.logKeyFlag()...)
	if !slices.Contains(flags, "--seal-key") && !slices.Contains(flags, "--insecure-ignore-seal") {
		args = append(args, "--seal-key", "seal.pub")
	}
	return append(append(args, flags...), s.bundle(), "project")
}

// report reads a report, which has to agree with itself and with the exit code.
func (s *site) report(stdout string, code int) *report {
	s.Helper()
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		s.Fatalf("%v:\n%s", err, stdout)
	}
	ok, counts := len(r.Modules)+len(r.Artifacts) > 0, map[string]int{}
	for _, m := range r.Modules {
		ok = ok && m.OK
		counts[m.Status]++
	}
	for _, a := range r.Artifacts {
		ok = ok && a.OK
		counts[a.Status]++
	}
	if r.OK != ok || ok != (code == 0) {
		s.Errorf("exit code %d, ok: %t, all modules ok: %t", code, r.OK, ok)
	}
	sum := 0
	for status, n := range r.Counts {
		if sum += n; counts[status] != n {
			s.Errorf("%d modules and artifacts are %s, the count is %d", counts[status], status, n)
		}
	}
	if all := len(r.Modules) + len(r.Artifacts); sum != all {
		s.Errorf("counts of %d modules and artifacts, there are %d", sum, all)
	}
	return &r
}

// module finds one module.
func (s *site) module(r *report, name string) moduleReport {
	s.Helper()
	for _, m := range r.Modules {
		if m.Path+"@"+m.Version == name {
			return m
		}
	}
	s.Fatalf("no %s in the report", name)
	panic("unreachable")
}

// status demands the verdict on a module, and words of its reason.
func (s *site) status(r *report, name, want string, words ...string) moduleReport {
	s.Helper()
	m := s.module(r, name)
	if m.Status != want {
		s.Errorf("%s is %s, want %s: %s", name, m.Status, want, m.Reason)
		return m
	}
	s.says(m.Reason, words...)
	return m
}

// allVerified demands that all modules of the project are.
func (s *site) allVerified(r *report) {
	s.Helper()
	if len(r.Modules) != len(s.modules) {
		s.Errorf("%d modules in the report, want %d", len(r.Modules), len(s.modules))
	}
	for _, m := range s.modules {
		s.status(r, m, "verified")
	}
}

// accepted is how many entries of a module count, as "listing zip".
func (m moduleReport) accepted() string {
	var of []string
	for _, e := range m.Evidence {
		if e.Accepted {
			of = append(of, e.Of)
		}
	}
	return strings.Join(of, " ")
}

// inspection is what inspect --format json says, as far as it is looked at here.
type inspection struct {
	Trusted  bool
	SealedBy []string
	Manifest struct {
		Modules []manifestModule
	}
	Logs []struct {
		Kind, Name, Checkpoint string
		TreeSize               uint64
		Entries                int
		Signers                []string
	}
}

// manifestModule is a module in the manifest, and all of it, so that two can be compared.
type manifestModule struct {
	Path, Version, Zip, Listing string
	Entries                     []struct{ Log, Index uint64 }
	LeftOut                     int
}

func (s *site) inspect() *inspection {
	s.Helper()
	r := s.run(0, "inspect", "--format", "json", "--seal-key", "seal.pub", s.bundle())
	var in inspection
	if err := json.Unmarshal([]byte(r.stdout), &in); err != nil {
		s.Fatalf("%v:\n%s", err, r.stdout)
	}
	return &in
}
