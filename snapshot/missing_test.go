package snapshot_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/snapshot"
)

// incomplete demands an IncompleteError about these modules.
func incomplete(t *testing.T, err error, unproven bool, paths ...string) *snapshot.IncompleteError {
	t.Helper()
	var e *snapshot.IncompleteError
	if !errors.As(err, &e) {
		t.Fatalf("%v; want an IncompleteError", err)
	}
	if e.Unproven != unproven || len(e.Modules) != len(paths) {
		t.Fatalf("unproven %t: %v", e.Unproven, e)
	}
	for i, p := range paths {
		if e.Modules[i].Module != (module.Version{Path: p, Version: "v1.0.0"}) || !strings.Contains(e.Error(), p) || !errors.Is(err, e.Modules[i].Err) {
			t.Errorf("module %d is %v, want %s", i, e.Modules[i], p)
		}
	}
	return e
}

// unknown makes a world with one module more, which is in no log.
func unknown(t *testing.T) (*world, mod) {
	t.Helper()
	w := newWorld(t)
	m := newMod("example.com/unknown")
	m.install(t, w.path("cache"))
	write(t, w.path("project/go.mod"), string(read(t, w.path("project/go.mod")))+"require "+m.Path+" v1.0.0\n")
	return w, m
}

// Property: a module that no log has is named, and nothing is written, unless it
// may be missing; then the enclave is told of it as well.
func TestMissingModule(t *testing.T) {
	w, m := unknown(t)
	e := incomplete(t, w.fail(), true, m.Path)
	if !strings.Contains(e.Error(), "not-logged") || !strings.Contains(e.Hint, "--allow-missing") {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
	w.request.AllowMissing = true
	s := w.take()
	if len(s.Failed) != 1 || s.Failed[0].Module.Path != m.Path {
		t.Errorf("failed: %v", s.Failed)
	}
	r := w.enclave()
	if r.OK || r.Counts["not-logged"] != 1 || r.Counts["verified"] != 3 {
		t.Errorf("enclave: ok %t, counts %v", r.OK, r.Counts)
	}
	// what the policy does not accept is missing too
	w = newWorld(t)
	w.flags.Signers = nil
	e = incomplete(t, w.fail(), true, corp, upper, plain)
	if !strings.Contains(e.Error(), "not-allowed") || !strings.Contains(e.Hint, "--allow-missing") {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
}

// failing makes the servers answer 500 to what is about a module: its lookup, or
// all searches.
func failing(w *world, lookup string, search bool) {
	w.db.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if lookup != "" && strings.Contains(r.URL.Path, lookup) {
			a.Status, a.Body = 500, []byte("out of order")
		}
	})
	w.rekor.Edit.Set(func(r *http.Request, a *testlog.Answer) {
		if search && strings.Contains(r.URL.Path, "index") {
			a.Status, a.Body = 500, []byte("out of order")
		}
	})
}

// Property: that a log can't be asked is no answer. It is said apart from missing
// evidence, and not said again as missing evidence.
func TestFailedQuestions(t *testing.T) {
	w := newWorld(t)
	failing(w, "/lookup/example.com/plain@", false)
	e := incomplete(t, w.fail(), false, plain)
	if !strings.Contains(e.Error(), "out of order") || !strings.Contains(e.Error(), "the checksum database could not be asked") {
		t.Error(e)
	}
	w.request.AllowMissing = true
	s := w.take()
	if len(s.Failed) != 1 || s.Failed[0].Module.Path != plain || !strings.Contains(s.Failed[0].Error(), "out of order") {
		t.Errorf("failed: %v", s.Failed)
	}
	if r := w.enclave(); r.OK || r.Counts["verified"] != 2 || r.Counts["not-allowed"] != 1 {
		t.Errorf("enclave: ok %t, counts %v", r.OK, r.Counts)
	}

	w = newWorld(t)
	failing(w, "", true)
	e = incomplete(t, w.fail(), false, corp, upper, plain)
	if !strings.Contains(e.Error(), "the search of Rekor failed") {
		t.Error(e)
	}
	w.request.AllowMissing = true
	if s := w.take(); len(s.Failed) != 3 || len(s.Logs) != 1 {
		t.Errorf("failed: %v, logs %+v", s.Failed, s.Logs)
	}

	// all of it fails, and all of it may be missing: a bundle without logs
	failing(w, "/lookup/", true)
	if s := w.take(); len(s.Failed) != 6 || len(s.Logs) != 0 {
		t.Errorf("failed: %v, logs %+v", s.Failed, s.Logs)
	}
	if r := w.enclave(); r.OK || r.Counts["not-logged"] != 3 {
		t.Errorf("enclave: ok %t, counts %v", r.OK, r.Counts)
	}
}

// Property: what the evidence contradicts is never written, whatever may be
// missing.
func TestContradiction(t *testing.T) {
	for _, allow := range []bool{false, true} {
		w := newWorld(t)
		w.request.AllowMissing = allow
		m := w.mod(plain)
		w.db.Add(m.Version, sum(newMod(plain).h1()), sum(m.goModH1())) // lookups find this one
		e := incomplete(t, w.fail(), true, plain)
		if !strings.Contains(e.Error(), "mismatch") || !strings.Contains(e.What, "nothing was written") {
			t.Error(e)
		}

		w = newWorld(t)
		w.request.AllowMissing = allow
		write(t, w.path("cache/example.com/plain@v1.0.0/x.go"), "package evil\n")
		incomplete(t, w.fail(), true, plain)

		w = newWorld(t)
		w.request.AllowMissing = allow
		write(t, w.path("project/go.sum"), strings.Replace(string(read(t, w.path("project/go.sum"))), sum(m.h1()), sum(m.goModH1()), 1))
		incomplete(t, w.fail(), true, plain)
	}
}

// Property: a directory in place of a module is no reason to fail here: whether
// it passes is for the enclave's policy.
func TestLocalModule(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("project/local/go.mod"), "module example.com/plain\n")
	write(t, w.path("project/go.mod"), string(read(t, w.path("project/go.mod")))+"replace example.com/plain => ./local\n")
	w.take()
	if b := w.bundle(); len(b.Manifest.Modules) != 2 {
		t.Errorf("modules %+v", b.Manifest.Modules)
	}
	if r := w.enclave(); r.OK || r.Counts["local"] != 1 {
		t.Errorf("ok %t, counts %v", r.OK, r.Counts)
	}
	w.flags.AllowLocal = true
	if r := w.enclave(); !r.OK || r.Counts["local"] != 1 {
		t.Errorf("allowed: ok %t, counts %v", r.OK, r.Counts)
	}
}
