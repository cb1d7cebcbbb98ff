package verify_test

import (
	"os"
	"testing"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/verify"
)

// Property: the honest world is verified, and the report says by what.
func TestHonestWorld(t *testing.T) {
	w := newWorld(t)
	r := w.check()
	if !r.OK || r.Counts["verified"] != 5 || len(r.Counts) != 1 {
		t.Errorf("ok %t, counts %v", r.OK, r.Counts)
	}
	m := moduleIn(t, r, plain)
	content := w.mod(plain)
	digest := content.zipDigest()
	if len(m.OnDisk) != 3 || m.OnDisk[0].Digest != sum(content.h1()) || m.OnDisk[1].Digest != sha256Of(digest) || m.OnDisk[2].Digest != sum(content.goModH1()) {
		t.Errorf("on disk: %+v", m.OnDisk)
	}
	if len(m.Evidence) != 3 || m.Evidence[0].Of != "record" || m.Evidence[1].Of != "listing" || m.Evidence[2].Of != "zip" {
		t.Errorf("evidence: %+v", m.Evidence)
	}
	for _, e := range m.Evidence {
		if !e.Accepted || e.Why != "" || (e.Of != "record") != (e.Signer == w.flags.Signers[0].Name && e.Time.Year() == 2026) {
			t.Errorf("evidence %+v", e)
		}
	}
	if len(r.Logs) != 2 || !r.Logs[0].Proven || !r.Logs[1].Proven || r.Logs[0].Size != 20 || r.Logs[1].Size != 10 {
		t.Errorf("logs: %+v", r.Logs)
	}
	if len(r.Bundle.SealedBy) != 1 || r.Bundle.Created.Format("2006-01-02T15:04:05Z07:00") != "2026-02-03T04:05:06Z" || r.Project.Module != "example.com/project" {
		t.Errorf("bundle %+v, project %+v", r.Bundle, r.Project)
	}
}

// Property: the tree that the compiler would read is hashed itself, whatever the
// zip beside it is.
func TestTree(t *testing.T) {
	file := func(name string) func(*world) string { return func(w *world) string { return w.unpacked(plain, name) } }
	sub, extra, whole := file("sub/sub.go"), file("sub/extra.go"), file("")
	mismatch := func(name string, do func(w *world), says string) lie {
		return lie{name, do, statuses{plain: verify.Mismatch}, says}
	}
	tell(t, asIs, []lie{
		mismatch("byte changed", func(w *world) { write(w, sub(w), "package suB\n") }, "content differs from the log"),
		mismatch("file added", func(w *world) { write(w, extra(w), "package sub\n") }, "content differs from the log"),
		mismatch("hidden file added", func(w *world) { write(w, w.unpacked(plain, ".x/x.go"), "package x\n") }, "content differs from the log"),
		mismatch("file removed", func(w *world) { remove(w, sub(w)) }, "content differs from the log"),
		mismatch("all files removed", func(w *world) { remove(w, whole(w)); mkdir(w, whole(w)) }, "content is not that of a module"),
		mismatch("file is a link to itself", func(w *world) { link(w, sub(w)) }, "symbolic link"),
		mismatch("folder is a link", func(w *world) { link(w, w.unpacked(plain, "sub")) }, "symbolic link"),
		mismatch("tree is a link", func(w *world) { link(w, w.cached(w.mod(plain).tree())) }, "symbolic link"),
		mismatch("tree is a file", func(w *world) { remove(w, whole(w)); write(w, w.cached(w.mod(plain).tree()), "x") }, "content is not that of a module"),
		mismatch("tree of another version", func(w *world) {
			v2 := w.mod(plain).with(map[string]string{"plain.go": "package plain // v1.1.0\n"})
			v2.unpack(w, w.path("cache"))
		}, "content differs from the log"),
		mismatch("upper-case file beside its lower-case one", func(w *world) { write(w, w.unpacked(plain, "SUB/sub.go"), "package sub\n") }, "content differs from the log"),
		{"byte changed behind an escaped path", func(w *world) { write(w, w.unpacked(upper, "u.go"), "package v\n") }, statuses{upper: verify.Mismatch}, "content differs from the log"},
		{"go.mod added to one without", func(w *world) { write(w, w.unpacked(bare, "go.mod"), "module example.com/bare\n") }, statuses{bare: verify.Mismatch}, "content differs from the log"},
		{"two modules changed", func(w *world) {
			write(w, w.unpacked(old, "old.go"), "")
			write(w, w.unpacked(pseudo, "p.go"), "")
		}, statuses{old: verify.Mismatch, pseudo: verify.Mismatch}, "content differs from the log"},
	})
}

func mkdir(t testing.TB, name string) {
	t.Helper()
	if err := os.Mkdir(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Property: with a zip alone its content is hashed; with a tree alone that; with
// neither there is nothing to verify, which is not a pass. A tree whose
// unpacking was not finished is none: the go command would unpack the zip.
func TestWhatIsThere(t *testing.T) {
	tree := func(w *world) string { return w.cached(w.mod(plain).tree()) }
	zip := func(w *world) string { return w.download(plain, ".zip") }
	partial := func(w *world) { write(w, w.download(plain, ".partial"), "") }
	evil := func(w *world) []byte { return w.mod(plain).with(map[string]string{"evil.go": "package plain\n"}).zip() }
	verified := statuses{plain: verify.Verified}
	mismatch := statuses{plain: verify.Mismatch}
	missing := statuses{plain: verify.NotOnDisk}
	tell(t, asIs, []lie{
		{"zip alone", func(w *world) { remove(w, tree(w)) }, verified, ""},
		{"evil zip alone", func(w *world) { remove(w, tree(w)); write(w, zip(w), string(evil(w))) }, mismatch, "content differs from the log"},
		{"zip of other bytes and the same content alone", func(w *world) { remove(w, tree(w)); write(w, zip(w), string(w.mod(plain).stored())) }, verified, ""},
		{"zip of another module alone", func(w *world) { remove(w, tree(w)); write(w, zip(w), string(w.mod(pseudo).zip())) }, mismatch, "does not begin with"},
		{"zip cut off", func(w *world) { remove(w, tree(w)); write(w, zip(w), string(w.mod(plain).zip()[:100])) }, mismatch, "content is not that of a module"},
		{"zip is a link", func(w *world) { remove(w, tree(w)); link(w, zip(w)) }, mismatch, "symbolic link"},
		{"tree alone", func(w *world) { remove(w, zip(w)) }, verified, ""},
		{"changed tree alone", func(w *world) { remove(w, zip(w)); write(w, w.unpacked(plain, "plain.go"), "") }, mismatch, "content differs from the log"},
		{"nothing", func(w *world) { remove(w, zip(w)); remove(w, tree(w)) }, missing, "neither its zip nor its unpacked tree"},
		{"half-unpacked tree and a good zip", func(w *world) { partial(w); remove(w, w.unpacked(plain, "plain.go")) }, verified, ""},
		{"half-unpacked mark, good tree, evil zip", func(w *world) { partial(w); write(w, zip(w), string(evil(w))) }, mismatch, "content differs from the log"},
		{"half-unpacked mark, good tree, no zip", func(w *world) { partial(w); remove(w, zip(w)) }, missing, "neither its zip nor its unpacked tree"},
		// the go command follows the link, finds no mark, and builds the tree
		{"half-unpacked mark that is a link to nowhere, evil tree, good zip", func(w *world) {
			if err := os.Symlink("nowhere", w.download(plain, ".partial")); err != nil {
				w.Skip(err)
			}
			write(w, w.unpacked(plain, "plain.go"), "package evil\n")
		}, mismatch, "not a regular file"},
	})
}

// Property: the zip that lies beside a tree is never taken for the proven content
// unless its own content is: no attestation of other content for the module, nor
// of another module, helps it.
func TestZipBesideTree(t *testing.T) {
	zip := func(w *world, data []byte) { write(w, w.download(plain, ".zip"), string(data)) }
	evil := func(w *world) mod { return w.mod(plain).with(map[string]string{"evil.go": "package plain\n"}) }
	attested := func(w *world, data []byte) {
		zip(w, data)
		w.add("zip", plain, w.alice.Body(sha256sum(data)))
	}
	claimed := func(w *world, data []byte) {
		zip(w, data)
		w.edit = func(p *payload) { described(p, plain).Zip = hexOf(data) }
	}
	verified, mismatch := statuses{plain: verify.Verified}, statuses{plain: verify.Mismatch}
	const other = "the zip holds other content than the unpacked tree"
	lies := []lie{
		{"evil", func(w *world) { zip(w, evil(w).zip()) }, mismatch, other},
		{"no zip at all", func(w *world) { zip(w, []byte("PK")) }, mismatch, "content is not that of a module"},
		{"same content, other bytes, known to nobody", func(w *world) { zip(w, w.mod(plain).stored()) }, verified, ""},
		{"same content, other bytes, attested", func(w *world) { attested(w, w.mod(plain).stored()) }, verified, ""},
		{"same content, other bytes, in the manifest", func(w *world) { claimed(w, w.mod(plain).stored()) }, verified, ""},
		{"evil and attested", func(w *world) { attested(w, evil(w).zip()) }, mismatch, other},
		{"another module's, attested", func(w *world) { zip(w, w.mod(pseudo).zip()) }, mismatch, "does not begin with"},
		{"evil, in a manifest that nobody sealed", func(w *world) {
			claimed(w, evil(w).zip())
			w.sealers, w.request.InsecureIgnoreSeals = nil, true
		}, mismatch, other},
		{"evil, in the manifest, but hashed all the same", func(w *world) { claimed(w, evil(w).zip()); w.request.HashZips = true }, mismatch, other},
		{"evil, in the manifest of another h1", func(w *world) {
			claimed(w, evil(w).zip())
			edit := w.edit
			w.listings = false
			w.edit = func(p *payload) { edit(p); described(p, plain).Listing = hexOf(nil) }
		}, mismatch, other},
		// what the sealer's word is worth: the sealer saw this zip with this h1
		{"evil, in the sealed manifest", func(w *world) { claimed(w, evil(w).zip()) }, verified, ""},
	}
	tell(t, asIs, lies)
	tell(t, func(w *world) { w.flags.Require = policy.RequireAny }, []lie{
		{"evil, read because it is attested, in the manifest", func(w *world) {
			w.drop(plain, "listing")
			attested(w, evil(w).zip())
			claimed(w, evil(w).zip())
		}, mismatch, other},
	})
	t.Run("by records alone", func(t *testing.T) {
		tell(t, func(w *world) { w.flags.Require = policy.RequireSumDB }, lies)
	})
}
