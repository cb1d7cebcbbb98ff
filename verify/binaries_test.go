package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/verify"
)

// A shop builds binaries with the go command, of modules that a proxy of its own
// serves.
type shop struct {
	testing.TB
	dir string
	env []string
}

const shopMain = `package main

import (
	_ "example.com/Upper/Case"
	_ "example.com/bare"
	_ "example.com/old"
	_ "example.com/plain"
	_ "example.com/pseudo"
)

func main() {}
`

func newShop(t testing.TB, mods ...mod) *shop {
	t.Helper()
	s := &shop{TB: t, dir: t.TempDir()}
	var goMod strings.Builder
	goMod.WriteString("module example.com/app\n\ngo 1.21\n\n")
	for _, m := range mods {
		write(t, filepath.Join(s.dir, "proxy", m.download(".zip")), string(m.zip()))
		write(t, filepath.Join(s.dir, "proxy", m.download(".mod")), m.goMod())
		write(t, filepath.Join(s.dir, "proxy", m.download(".info")), fmt.Sprintf(`{"Version":%q}`, m.Version.Version))
		fmt.Fprintf(&goMod, "require %s %s\n", m.Path, m.Version.Version)
	}
	write(t, filepath.Join(s.dir, "app/go.mod"), goMod.String())
	if len(mods) > 0 {
		write(t, filepath.Join(s.dir, "app/main.go"), shopMain)
	} else {
		write(t, filepath.Join(s.dir, "app/main.go"), "package main\n\nfunc main() {}\n")
	}
	s.env = append(os.Environ(), "GOPROXY=file://"+filepath.ToSlash(s.dir)+"/proxy", "GOMODCACHE="+filepath.Join(s.dir, "cache"), "GOFLAGS=-modcacherw",
		"GOSUMDB=off", "GOENV=off", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	s.run(nil, "mod", "tidy")
	return s
}

func (s *shop) run(env []string, args ...string) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), "go", args...)
	cmd.Dir, cmd.Env = filepath.Join(s.dir, "app"), append(slices.Clone(s.env), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("go %s: %v\n%s", args, err, out)
	}
}

// build gives the bytes of the binary.
func (s *shop) build(mod string, env ...string) []byte {
	s.Helper()
	s.run(env, "build", "-mod="+mod, "-o", filepath.Join(s.dir, "out"), ".")
	b, err := os.ReadFile(filepath.Join(s.dir, "out"))
	if err != nil {
		s.Fatal(err)
	}
	return b
}

// vendored is the binary built from a vendor folder.
func (s *shop) vendored() []byte {
	s.Helper()
	s.run(nil, "mod", "vendor")
	defer remove(s, filepath.Join(s.dir, "app/vendor"))
	return s.build("vendor")
}

// sell has the world judge a binary, and no project.
func (w *world) sell(binary []byte) {
	w.Helper()
	name := w.path("app")
	write(w, name, string(binary))
	b, err := verify.ReadBinary(name)
	if err != nil {
		w.Fatal(err)
	}
	w.request.Dir, w.request.ModCache, w.request.Binaries = "", "", []verify.Binary{*b}
}

func inBinary(t testing.TB, r *verify.Report, path string) *verify.BinaryModule {
	t.Helper()
	if len(r.Binaries) != 1 {
		t.Fatalf("%d binaries in the report", len(r.Binaries))
	}
	b := r.Binaries[0]
	i := slices.IndexFunc(b.Modules, func(m verify.BinaryModule) bool { return m.Path == path })
	if i < 0 {
		t.Fatalf("%s is not in the binary: %+v", path, b.Modules)
	}
	return &b.Modules[i]
}

// patched is a binary in which the h1 of a module is another.
func patched(t testing.TB, binary []byte, m, other mod) []byte {
	t.Helper()
	if bytes.Count(binary, []byte(sum(m.h1()))) == 0 {
		t.Fatalf("the binary does not name the h1 of %s", m)
	}
	return bytes.ReplaceAll(binary, []byte(sum(m.h1())), []byte(sum(other.h1())))
}

// Property: each module that a binary names passes if its h1 is proven for this
// very path and version, by evidence that the policy accepts; where the binary
// names no h1, if the bundle proves one. Any lie fails.
func TestBinaries(t *testing.T) {
	s := newShop(t, worldMods()...)
	built, vendored := s.build("mod"), s.vendored()
	other := newMod(plain, "v1.0.0", map[string]string{"x.go": "package x\n"})
	evilRecord := func(w *world) { w.leaf(plain, "record").body = recordOf(w.mod(plain), evil(w.mod(plain)).h1()) }
	dropAll := func(w *world) { w.drop(plain, "record", "zip", "listing") }
	zipsOnly := func(w *world) { recordless(w); w.drop(plain, "listing") }
	noListings := func(w *world) { recordless(w); w.listings = false }
	// alice signed the listing of another module; binary and manifest say it is plain's
	swapped := func(w *world) { recordless(w); w.drop(plain, "zip", "listing") }
	swappedManifest := func(w *world) {
		swapped(w)
		w.edit = func(p *bundles.Payload) {
			described(p, plain).Listing = described(p, bare).Listing
		}
	}
	exemptNow := func(w *world) { exempted(w); w.drop(plain, "record") }
	for _, c := range []struct {
		name    string
		binary  []byte
		prepare func(w *world)
		want    verify.Status // of plain; all others are verified
		from    string        // whose h1 it is
		reason  string
	}{
		{"all evidence", built, asIs, verify.Verified, "binary", ""},
		{"records alone", built, signless, verify.Verified, "binary", ""},
		{"signers alone", built, recordless, verify.Verified, "binary", ""},
		{"a statement, and no listings", built, func(w *world) {
			recordless(w)
			w.drop(plain, "zip", "listing")
			w.state(plain, w.alice, subjects(plain+"@v1.0.0", w.mod(plain), "h1")...)
		}, verify.Verified, "binary", ""},
		{"a statement of another name", built, func(w *world) {
			recordless(w)
			w.drop(plain, "zip", "listing")
			w.state(plain, w.alice, subjects("example.com/other@v1.0.0", w.mod(plain), "h1")...)
		}, verify.NotAllowed, "binary", ""},
		{"another record", built, evilRecord, verify.Mismatch, "binary", "other content than was logged"},
		{"patched", patched(t, built, newWorld(t).mod(plain), other), asIs, verify.Mismatch, "binary", "other content than was logged"},
		{"patched, signers alone", patched(t, built, newWorld(t).mod(plain), other), recordless, verify.Mismatch, "binary", "other content than was signed"},
		{"patched to an h1 that is signed for another module", patched(t, built, newWorld(t).mod(plain), newWorld(t).mod(bare)), swapped, verify.NotAllowed, "binary", "nothing in the bundle shows"},
		{"no evidence", built, dropAll, verify.NotLogged, "binary", ""},
		{"only the zip", built, zipsOnly, verify.NotAllowed, "binary", "only its zip is attested"},
		{"exempt", built, exemptNow, verify.Exempt, "binary", "on a boat"},
		{"exempt and patched", patched(t, built, newWorld(t).mod(plain), other), exempted, verify.Mismatch, "binary", ""},

		{"vendored", vendored, asIs, verify.Verified, "bundle", ""},
		{"vendored, records alone", vendored, signless, verify.Verified, "bundle", ""},
		{"vendored, signers alone", vendored, recordless, verify.Verified, "bundle", ""},
		{"vendored, no evidence", vendored, dropAll, verify.NotLogged, "", ""},
		{"vendored, only the zip", vendored, zipsOnly, verify.NotAllowed, "", "only its zip is attested"},
		{"vendored, the manifest has another's listing", vendored, swappedManifest, verify.NotAllowed, "", "nothing in the bundle shows"},
		{"vendored, exempt", vendored, exemptNow, verify.Exempt, "", "on a boat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.sell(c.binary)
			c.prepare(w)
			r := w.check()
			m := inBinary(t, r, plain)
			if m.Status != c.want || m.H1From != c.from || !strings.Contains(m.Reason, c.reason) || (m.H1 == "") != (c.from == "") {
				t.Errorf("%+v\nwant %s, h1 from %q, reason %q", m, c.want, c.from, c.reason)
			}
			if c.want == verify.Verified && m.H1 != sum(w.mod(plain).h1()) {
				t.Errorf("h1 %s", m.H1)
			}
			for _, o := range r.Binaries[0].Modules {
				if o.Path != plain && o.Status != verify.Verified {
					t.Errorf("%s is %s: %s", o.Path, o.Status, o.Reason)
				}
			}
			if b := r.Binaries[0]; len(b.Modules) != 5 || b.Main != "example.com/app@(devel)" || b.Package != "example.com/app" || !strings.HasPrefix(b.Go, "go1.") {
				t.Errorf("%+v", b)
			}
			if says := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "app names no hash of 5 of its 5 modules") }); says != strings.HasPrefix(c.name, "vendored") {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
	t.Run("no listings", func(t *testing.T) {
		w := newWorld(t)
		w.sell(built)
		noListings(w)
		for _, m := range w.check().Binaries[0].Modules {
			if m.Status != verify.NotAllowed || !strings.Contains(m.Reason, "nothing in the bundle shows") || m.Hint == "" {
				t.Errorf("%+v", m)
			}
		}
	})
	t.Run("a module more than the bundle has", func(t *testing.T) {
		w := newWorld(t)
		w.sell(built)
		w.drop(plain, "record", "zip", "listing")
		w.mods = slices.DeleteFunc(w.mods, func(m mod) bool { return m.Path == plain })
		w.leaves = slices.DeleteFunc(w.leaves, func(l *leaf) bool { return l.of == plain })
		if m := inBinary(t, w.check(), plain); m.Status != verify.NotLogged || m.OK {
			t.Errorf("%+v", m)
		}
	})
	t.Run("beside a project", func(t *testing.T) {
		w := newWorld(t)
		dir, cache := w.request.Dir, w.request.ModCache
		w.sell(built)
		w.request.Dir, w.request.ModCache = dir, cache
		r := w.check()
		if !r.OK || r.Counts["verified"] != 10 {
			t.Errorf("ok %t, %v", r.OK, r.Counts)
		}
		w.request.Explain = func(name string) bool { return name == plain }
		if m := inBinary(t, w.check(), plain); len(m.Explain) == 0 || m.Rule != moduleIn(t, r, plain).Rule {
			t.Errorf("%+v", m)
		}
	})
}

// Property: the module that replaces another is what must be proven; a directory
// passes only below the main module's, and only if the policy allows local ones.
func TestBinaryReplaced(t *testing.T) {
	fork := newMod("example.com/fork", "v1.0.1", map[string]string{"go.mod": "module example.com/plain\n", "fork.go": "package plain\n"})
	s := newShop(t, append(worldMods(), fork)...)
	s.run(nil, "mod", "edit", "-replace=example.com/plain=example.com/fork@v1.0.1")
	s.run(nil, "mod", "tidy")
	for _, binary := range [][]byte{s.build("mod"), s.vendored()} {
		for _, evidence := range []bool{true, false} {
			w := newWorld(t)
			if evidence {
				w.mods = append(w.mods, fork)
				w.attest(fork, w.alice)
				w.add("record", fork.Path, []byte(fork.record()))
			}
			w.sell(binary)
			m := inBinary(t, w.check(), fork.Path)
			if want := map[bool]verify.Status{true: verify.Verified, false: verify.NotLogged}[evidence]; m.Status != want || m.Version != "v1.0.1" || m.Replaces != plain+"@v1.0.0" {
				t.Errorf("evidence %t: %+v", evidence, m)
			}
		}
	}
	for dir, inTree := range map[string]bool{"./local": true, "../local": false} {
		write(t, filepath.Join(s.dir, "app", dir, "go.mod"), "module example.com/plain\n")
		write(t, filepath.Join(s.dir, "app", dir, "plain.go"), "package plain\n")
		s.run(nil, "mod", "edit", "-replace=example.com/plain="+dir)
		binary := s.build("mod")
		for _, allow := range []bool{true, false} {
			w := newWorld(t)
			w.flags.AllowLocal = allow
			w.sell(binary)
			r := w.check()
			if m := inBinary(t, r, plain); m.Status != verify.Local || m.OK != (allow && inTree) || r.OK != m.OK || m.Dir != dir || m.Version != "" || m.Replaces != plain+"@v1.0.0" {
				t.Errorf("%s, allowed %t: %+v", dir, allow, m)
			}
		}
	}
}

// Property: binaries for Windows and macOS are read here too.
func TestBinaryOfOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles Go's runtime for two systems")
	}
	s := newShop(t, worldMods()...)
	for _, goos := range []string{"windows", "darwin", "linux"} {
		w := newWorld(t)
		w.sell(s.build("mod", "GOOS="+goos, "GOARCH=amd64"))
		if r := w.check(); !r.OK || r.Counts["verified"] != 5 {
			t.Errorf("%s: %v", goos, r.Counts)
		}
	}
}

// Property: a binary that names no modules is not a pass, nor is a request for
// none.
func TestBinaryWithoutModules(t *testing.T) {
	s := newShop(t)
	name := filepath.Join(t.TempDir(), "app")
	write(t, name, string(s.build("mod")))
	if _, err := verify.ReadBinary(name); !errors.Is(err, verify.ErrNoModules) {
		t.Errorf("read: %v", err)
	}
	w := newWorld(t)
	w.request.Dir, w.request.Binaries = "", []verify.Binary{{Name: "app"}}
	if r, err := w.try(context.Background()); !errors.Is(err, verify.ErrNoModules) {
		t.Errorf("%+v, %v", r, err)
	}
	w.request.Binaries = nil
	if r, err := w.try(context.Background()); !errors.Is(err, verify.ErrNothing) {
		t.Errorf("nothing at all: %+v, %v", r, err)
	}
}
