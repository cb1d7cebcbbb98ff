package verify_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// Property: of a bundle that no trusted sealer sealed there is no report, unless
// it is asked for in so many words; then it names no sealer and says so.
func TestSeals(t *testing.T) {
	sealer, mallory := testlog.NewSigner("sealer"), testlog.NewSigner("mallory")
	untrusted := func(w *world) { w.request.Seals = nil }
	for _, c := range []struct {
		name string
		do   func(w *world)
	}{
		{"none", func(w *world) { w.sealers = nil }},
		{"by another", func(w *world) { w.sealers = []*testlog.Signer{mallory} }},
		{"nobody is trusted", untrusted},
		{"nobody in particular is trusted", func(w *world) { w.request.Seals = seal.Trusted{} }},
		{"over another payload", func(w *world) {
			other := newWorld(t)
			other.listings = false
			b := open(t, other.bundle())
			w.sealers = nil
			w.file = func(file []byte) []byte { return resealed(t, file, b) }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.do(w)
			if r, err := w.try(context.Background()); r != nil || !errors.Is(err, bundles.ErrUnsealed) {
				t.Fatalf("%v, %v; want ErrUnsealed", r, err)
			}
			w.request.InsecureIgnoreSeals = true
			r := w.check()
			if !r.OK || len(r.Bundle.SealedBy) != 0 || len(r.Notes) != 1 {
				t.Errorf("ok %t, sealed by %q, notes %q", r.OK, r.Bundle.SealedBy, r.Notes)
			}
		})
	}
	w := newWorld(t)
	w.sealers = []*testlog.Signer{mallory, sealer}
	if r := w.check(); !r.OK || len(r.Bundle.SealedBy) != 1 || len(r.Notes) != 0 {
		t.Errorf("one of two: ok %t, sealed by %q, notes %q", r.OK, r.Bundle.SealedBy, r.Notes)
	}
}

// open opens a bundle whoever sealed it.
func open(t testing.TB, file []byte) *bundles.Bundle {
	t.Helper()
	b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// resealed puts the seal of another payload, by the trusted sealer, on a bundle
// without any.
func resealed(t *testing.T, file []byte, other *bundles.Bundle) []byte {
	t.Helper()
	b := open(t, file)
	s, err := seal.ByKey(private(t, testlog.NewSigner("sealer")), other.Payload)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bundles.WriteFile(&out, [][]byte{s}, b.PayloadReader(), b.Size); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Property: a damaged bundle gives an error and no report, also when seals are
// ignored.
func TestDamagedBundle(t *testing.T) {
	for _, do := range []func(file []byte) []byte{
		func(file []byte) []byte { return file[:len(file)-512] },
		func(file []byte) []byte { return append(file, 0) },
		func([]byte) []byte { return nil },
		func(file []byte) []byte { file[len(file)/2] ^= 1; return file },
	} {
		w := newWorld(t)
		w.sealers, w.file, w.request.InsecureIgnoreSeals = nil, do, true
		if r, err := w.try(context.Background()); r != nil || !errors.Is(err, bundles.ErrDamaged) {
			t.Errorf("%v, %v; want ErrDamaged", r, err)
		}
	}
}

// Property: an empty dependency set is not a pass, whatever the bundle holds.
func TestNothingToVerify(t *testing.T) {
	w := newWorld(t)
	write(w, w.path("project/go.mod"), "module example.com/project\n\ngo 1.21\n")
	if r, err := w.try(context.Background()); r != nil || !errors.Is(err, verify.ErrNothing) {
		t.Errorf("%v, %v; want ErrNothing", r, err)
	}
}

// Property: the dependency set is the project's own. What else a bundle has is
// no matter, and what it lacks is missing.
func TestSetIsTheProjects(t *testing.T) {
	w := newWorld(t)
	extra := newMod("example.com/extra", "v1.0.0", map[string]string{"x.go": "package x\n"})
	w.mods = append(w.mods, extra)
	w.attest(extra, w.alice)
	w.add("record", extra.Path, []byte(extra.record()))
	if r := w.check(); !r.OK || len(r.Modules) != 5 {
		t.Errorf("more in the bundle: ok %t, counts %v", r.OK, r.Counts)
	}
	tell(t, asIs, []lie{
		{"a module that the bundle lacks", func(w *world) {
			w.drop(plain, "zip", "listing", "record")
			w.edit = func(p *payload) {
				m := &p.Manifest.Modules
				*m = append((*m)[:3:3], (*m)[4:]...) // without plain
			}
		}, statuses{plain: verify.NotLogged}, "the bundle has no evidence"},
		{"a module that the manifest lacks, and its logs have", func(w *world) {
			w.edit = func(p *payload) {
				m := &p.Manifest.Modules
				*m = append((*m)[:3:3], (*m)[4:]...)
			}
		}, nil, ""},
		{"another version than the bundle has", func(w *world) {
			newMod(plain, "v1.0.1", w.mod(plain).files).install(w, w.path("cache"))
			replaceIn(w, w.path("project/go.mod"), "plain v1.0.0", "plain v1.0.1")
		}, statuses{plain: verify.NotLogged}, "the bundle has no evidence"},
	})
	w = newWorld(t)
	w.edit = func(p *payload) { p.Manifest.Projects[0].Module = "example.com/other" }
	if r := w.check(); !r.OK || len(r.Notes) != 1 || r.Bundle.Projects[0].Module != "example.com/other" {
		t.Errorf("of another project: ok %t, notes %q", r.OK, r.Notes)
	}
}
