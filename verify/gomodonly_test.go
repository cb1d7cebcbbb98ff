package verify_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/verify"
)

// self is the project's own path: top, which it requires, requires an old version
// of it. Of that nothing but the go.mod is read.
const self = "example.com/project"

// cyclic makes a project of before go 1.17 that requires itself by way of top.
func cyclic(w *world) {
	unpruned(w)
	top := newMod("example.com/top", "v1.0.0", map[string]string{"go.mod": "module example.com/top\n\nrequire example.com/project v0.0.1\n", "top.go": "package top\n"})
	first := newMod(self, "v0.0.1", map[string]string{"go.mod": "module example.com/project\n", "x.go": "package x\n"})
	w.mods = append(w.mods, top, first)
	top.install(w, w.path("cache"))
	write(w, w.download(self, ".mod"), first.goMod())
	w.replace("require example.com/top v1.0.0")
	for _, m := range []mod{top, first} {
		w.attest(m, w.alice)
		w.add("record", m.Path, []byte(m.record()))
	}
}

// Property: of a module that takes part in version selection alone the go.mod is
// verified: by the record's second line, or by a listing that a named signer
// attested and the bundle carries. The other evidence says nothing of it.
func TestGoModOnly(t *testing.T) {
	changed := func(w *world) { write(w, w.download(self, ".mod"), w.mod(self).goMod()+"// more\n") }
	mismatch, notLogged := statuses{self: verify.Mismatch}, statuses{self: verify.NotLogged}
	const none = "the bundle has no evidence for it"
	gone := func(w *world) { w.before(func() { remove(w, w.download(self, ".mod")) }) }
	goSum := func(w *world) {
		write(w, w.path("project/go.sum"), self+" v0.0.1/go.mod "+sum(goModH1("module evil\n"))+"\n")
	}
	both := []lie{
		{"taken away", gone, statuses{self: verify.NotOnDisk}, "its go.mod is not in the module cache"},
		{"a link", func(w *world) { w.before(func() { link(w, w.download(self, ".mod")) }) }, mismatch, "symbolic link"},
		{"go.sum has another h1", goSum, mismatch, "go.sum contradicts the log"},
	}
	tell(t, cyclic, both)
	t.Run("by record", func(t *testing.T) {
		tell(t, func(w *world) { cyclic(w); signless(w) }, append(both, []lie{
			{"changed", changed, mismatch, "go.mod differs from the log"},
			{"record left out", func(w *world) { w.drop(self, "record") }, notLogged, none},
			{"record of another go.mod", func(w *world) {
				l := w.leaf(self, "record")
				l.body = []byte(strings.Replace(string(l.body), sum(w.mod(self).goModH1()), sum(goModH1("module evil\n")), 1))
			}, mismatch, "go.mod differs from the log"},
			{"record of another h1", func(w *world) {
				w.leaf(self, "record").body = recordOf(w.mod(self), evil(w.mod(self)).h1())
			}, statuses{self: verify.Verified}, ""}, // of content that nobody reads
		}...))
	})
	t.Run("by listing", func(t *testing.T) {
		without := func(w *world) { w.drop(self, "listing") }
		tell(t, func(w *world) { cyclic(w); recordless(w) }, append(both, []lie{
			{"changed", changed, mismatch, "the go.mod in the signed listing"},
			{"only the zip is signed", without, notLogged, none},
			{"bundle without listings", func(w *world) { w.listings = false }, notLogged, none},
			{"signed by another", func(w *world) {
				w.leaf(self, "listing").body = testlog.NewSigner("mallory").Body(w.mod(self).h1())
			}, statuses{self: verify.NotAllowed}, "whom the policy does not name"},
			{"said to have the listing of another module", func(w *world) {
				w.edit = func(p *payload) { described(p, self).Listing = described(p, plain).Listing }
			}, notLogged, none},
			{"said to have an evil listing that nobody signed", func(w *world) {
				m := evil(w.mod(self))
				w.edit = func(p *payload) {
					h1, from := m.h1(), p.Listing
					described(p, self).Listing = hex.EncodeToString(h1[:])
					p.Listing = func(digest string) ([]byte, error) {
						if digest == hex.EncodeToString(h1[:]) {
							return []byte(m.listing()), nil
						}
						return from(digest)
					}
				}
			}, notLogged, none},
		}...))
	})
}

// Property: without the go.mod files of all dependencies there is no dependency
// set, and so no report that could be taken for a pass.
func TestNoSetWithoutGoMods(t *testing.T) {
	for _, path := range []string{self, plain} {
		w := newWorld(t)
		cyclic(w)
		remove(w, w.download(path, ".mod"))
		var missing *gomod.MissingGoModError
		if r, err := w.try(context.Background()); r != nil || !errors.As(err, &missing) {
			t.Errorf("%s: %v, %v", path, r, err)
		}
	}
	w := newWorld(t)
	if err := os.Mkdir(w.path("project/vendor"), 0o755); err != nil {
		t.Fatal(err)
	}
	var inconsistent *gomod.InconsistentVendorError
	if r, err := w.try(context.Background()); r != nil || !errors.As(err, &inconsistent) {
		t.Errorf("vendor: %v, %v", r, err)
	}
	w.request.Mod = "mod"
	if r := w.check(); !r.OK || r.Project.Mod != "mod" || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "-mod=mod") {
		t.Errorf("-mod=mod: ok %t, notes %q", r.OK, r.Notes)
	}
}
