package diff_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/diff"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
)

func hexOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// world are logs, of which bundles are made at some size.
type world struct {
	db    *testlog.SumDB
	rekor *testlog.Rekor
}

func newWorld() *world {
	w := &world{testlog.NewSumDB("sum.example"), testlog.NewRekor("rekor.example")}
	for i := range 8 {
		path := fmt.Sprintf("example.com/m%d", i)
		h1 := "h1:" + strings.Repeat("A", 42) + "8="
		w.db.Add(module.Version{Path: path, Version: "v1.0.0"}, h1, h1)
		w.rekor.Add(testlog.NewSigner("alice").Body(sha256.Sum256([]byte(path))))
	}
	return w
}

// payload is of the modules m0 and m2, each with an entry in both logs, at a size.
func (w *world) payload(size uint64) *bundles.Payload {
	shard := w.rekor.Shard()
	id := shard.LogID()
	p := &bundles.Payload{Manifest: bundles.Manifest{Created: "2026-01-02T03:04:05Z", Projects: []bundles.Project{{Module: "example.com/main", Go: "1.26"}}}}
	a := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.RekorV1, Name: shard.Origin(), LogID: hex.EncodeToString(id[:])}, Checkpoint: shard.Checkpoint(size), Proof: shard.Multiproof(size, 0, 2)}
	b := bundles.Log{LogInfo: bundles.LogInfo{Kind: bundles.SumDB, Name: w.db.Name}, Checkpoint: w.db.Checkpoint(size), Proof: w.db.Multiproof(size, 0, 2)}
	for _, i := range []uint64{0, 2} {
		a.Entries = append(a.Entries, bundles.Entry{Index: i, Leaf: string(shard.Leaf(i)), LogIndex: 100 + i, IntegratedTime: 7, SET: []byte("set")})
		b.Entries = append(b.Entries, bundles.Entry{Index: i, Leaf: string(w.db.Leaf(i))})
		path := fmt.Sprintf("example.com/m%d", i)
		p.Manifest.Modules = append(p.Manifest.Modules, bundles.Module{
			Path: path, Version: "v1.0.0", Zip: hexOf(path), Listing: hexOf("listing of " + path), Entries: []bundles.Ref{{Log: 0, Index: i}, {Log: 1, Index: i}},
		})
	}
	p.Manifest.Artifacts = []bundles.Artifact{{Name: "tool", SHA256: hexOf("tool")}}
	p.Logs = []bundles.Log{a, b}
	p.Trust = map[string][]byte{"1.root.json": []byte("{}"), "timestamp.json": []byte("{}")}
	return p
}

func open(t testing.TB, p *bundles.Payload, sealers ...string) *bundles.Bundle {
	t.Helper()
	var payload, file bytes.Buffer
	if err := bundles.WritePayload(&payload, p); err != nil {
		t.Fatal(err)
	}
	digests, err := bundles.DigestsOf(bytes.NewReader(payload.Bytes()), int64(payload.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var seals [][]byte
	for _, name := range sealers {
		k, err := keys.ParsePrivate(testlog.NewSigner(name).PrivatePEM(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := seal.ByKey(k, digests)
		if err != nil {
			t.Fatal(err)
		}
		seals = append(seals, s)
	}
	if err := bundles.WriteFile(&file, seals, bytes.NewReader(payload.Bytes()), int64(payload.Len())); err != nil {
		t.Fatal(err)
	}
	b, err := bundles.Open(bytes.NewReader(file.Bytes()), int64(file.Len()), bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines is the text without the lines on the files.
func lines(t testing.TB, d *diff.Diff) string {
	t.Helper()
	var b bytes.Buffer
	if err := diff.Text(&b, d); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), "\n")
	_, rest, _ = strings.Cut(rest, "\n")
	_, rest, _ = strings.Cut(rest, "\n")
	return rest
}

// Property: each thing that changes is named, and nothing else is; and the other
// way round as removed in place of added.
func TestDiff(t *testing.T) {
	key := func(name string) string {
		k, err := keys.ParsePrivate(testlog.NewSigner(name).PrivatePEM(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return k.Public().String()
	}
	newSize := func(w *world, p *bundles.Payload, log int, size uint64) {
		l := &p.Logs[log]
		if l.Kind == bundles.SumDB {
			l.Checkpoint, l.Proof = w.db.Checkpoint(size), w.db.Multiproof(size, l.Proof.Indexes...)
		} else {
			l.Checkpoint, l.Proof = w.rekor.Shard().Checkpoint(size), w.rekor.Shard().Multiproof(size, l.Proof.Indexes...)
		}
	}
	for name, x := range map[string]struct {
		do      func(w *world, p *bundles.Payload)
		sealers []string
		want    []string
		same    bool
	}{
		"nothing":                {func(*world, *bundles.Payload) {}, nil, []string{"the same"}, true},
		"the time alone":         {func(_ *world, p *bundles.Payload) { p.Manifest.Created = "2026-01-02T03:04:06Z" }, nil, []string{"the same, but for when it was made"}, true},
		"a signature of the log": {func(_ *world, p *bundles.Payload) { p.Logs[0].Entries[1].SET = []byte("other") }, nil, []string{"the same, but", "signed anew by its log, with the same content: 1 thing"}, true},
		"the project":            {func(_ *world, p *bundles.Payload) { p.Manifest.Projects[0].Go = "1.27" }, nil, []string{"projects", `~ "example.com/main": go 1.26 => 1.27`}, false},
		"a workspace": {func(_ *world, p *bundles.Payload) {
			p.Manifest.Projects[0] = bundles.Project{Go: "1.26", Workspace: []string{"example.com/a", "example.com/b"}}
		}, nil, []string{"projects", "+ a workspace of example.com/a, example.com/b, go 1.26", `- "example.com/main", go 1.26`}, false},
		"a project more": {func(_ *world, p *bundles.Payload) {
			p.Manifest.Projects = append(p.Manifest.Projects, bundles.Project{Module: "example.com/other"})
		}, nil, []string{"projects", `+ "example.com/other"`}, false},
		"no project": {func(_ *world, p *bundles.Payload) { p.Manifest.Projects = nil }, nil, []string{"projects", `- "example.com/main", go 1.26`}, false},
		"one at a second go line": {func(_ *world, p *bundles.Payload) {
			p.Manifest.Projects = append(p.Manifest.Projects, bundles.Project{Module: "example.com/main", Go: "1.27"})
		}, nil, []string{"projects", `+ "example.com/main", go 1.27`}, false},
		"two at other go lines": {func(_ *world, p *bundles.Payload) {
			p.Manifest.Projects = []bundles.Project{{Module: "example.com/main"}, {Module: "example.com/main", Go: "1.27"}}
		}, nil, []string{"projects", `- "example.com/main", go 1.26`, `+ "example.com/main"`, `+ "example.com/main", go 1.27`}, false},
		"a version": {func(_ *world, p *bundles.Payload) { p.Manifest.Modules[1].Version = "v1.1.0" }, nil, []string{"modules", "~ example.com/m2 v1.0.0 => v1.1.0", "evidence", "~ rekor.example", "~ sum.example"}, false},
		"content":   {func(_ *world, p *bundles.Payload) { p.Manifest.Modules[1].Zip = hexOf("x") }, nil, []string{"modules", "~ example.com/m2 v1.0.0", "zip: sha256:" + hexOf("example.com/m2") + " => sha256:" + hexOf("x")}, false},
		"left out":  {func(_ *world, p *bundles.Payload) { p.Manifest.Modules[1].LeftOut = 3 }, nil, []string{"modules", "~ example.com/m2 v1.0.0", "entries left out: 0 => 3"}, false},
		"a module": {func(_ *world, p *bundles.Payload) {
			p.Manifest.Modules = append(p.Manifest.Modules, bundles.Module{Path: "example.com/m9", Version: "v1.0.0"})
		}, nil, []string{"modules", "+ example.com/m9 v1.0.0   none"}, false},
		"a second version": {func(_ *world, p *bundles.Payload) {
			p.Manifest.Modules = append(p.Manifest.Modules, bundles.Module{Path: "example.com/m2", Version: "v1.0.1"})
		}, nil, []string{"modules", "+ example.com/m2 v1.0.1   none"}, false},
		"an artifact": {func(_ *world, p *bundles.Payload) {
			p.Manifest.Artifacts = append(p.Manifest.Artifacts, bundles.Artifact{Name: "tool2", SHA256: hexOf("x")})
		}, nil, []string{"artifacts", "+ tool2   sha256:" + hexOf("x")}, false},
		"an entry": {func(w *world, p *bundles.Payload) {
			l := &p.Logs[1]
			l.Entries = append(l.Entries, bundles.Entry{Index: 5, Leaf: string(w.db.Leaf(5))})
			l.Proof = w.db.Multiproof(6, 0, 2, 5)
		}, nil, []string{"evidence", "+ sum.example, entry 5: record of example.com/m5@v1.0.0 h1:"}, false},
		"what it is of": {func(_ *world, p *bundles.Payload) { p.Manifest.Modules[1].Entries = p.Manifest.Modules[1].Entries[:1] }, nil, []string{"evidence", "~ sum.example, entry 2: record of example.com/m2@v1.0.0 h1:"}, false},
		"a signer": {func(w *world, p *bundles.Payload) {
			l := &p.Logs[0]
			w.rekor.Shard().Rewrite(2, testlog.NewSigner("bob").Body([32]byte{1}))
			l.Entries[1].Leaf = string(w.rekor.Shard().Leaf(2))
		}, nil, []string{"evidence", "rekor.example", "rekor.example", "signers", "+ key " + key("bob")}, false},
		"a head": {func(w *world, p *bundles.Payload) { newSize(w, p, 1, 8) }, nil, []string{"logs", "~ sumdb sum.example: tree of 6, root "}, false},
		"a fork": {func(w *world, p *bundles.Payload) { w.db.Rewrite(4, []byte("x\n")); newSize(w, p, 1, 6) }, nil, []string{"logs", "~ sumdb sum.example: tree of 6, root ", "TREES OF ONE SIZE WITH DIFFERENT ROOTS"}, false},
		"a proof": {func(w *world, p *bundles.Payload) {
			p.Logs[1].Earlier = []bundles.Consistency{bundles.NewConsistency(3, w.db.Consistency(3, 6))}
		}, nil, []string{"logs", "proven since 3"}, false},
		"a trust file": {func(_ *world, p *bundles.Payload) {
			p.Trust["2.root.json"] = []byte("{}")
			p.Trust["timestamp.json"] = []byte("{ }")
		}, nil, []string{"trust", "+ 2.root.json", "~ timestamp.json"}, false},
		"a seal": {func(*world, *bundles.Payload) {}, []string{"carol"}, []string{"seals", "+ key " + key("carol")}, false},
	} {
		w := newWorld()
		old := open(t, w.payload(6))
		p := w.payload(6)
		x.do(w, p)
		changed := open(t, p, x.sealers...)
		d := diff.Of(old, changed)
		text := lines(t, d)
		got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		rest := text
		for _, want := range x.want {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
			rest = after
		}
		if d.Same != x.same || d.Identical != (name == "nothing" || name == "a seal") || name != "a signer" && name != "a version" && len(got) != len(x.want) {
			t.Errorf("%s: same %t, identical %t\n%s", name, d.Same, d.Identical, text)
		}
		back := lines(t, diff.Of(changed, old))
		if strings.Count(back, "\n  -") != strings.Count(text, "\n  +") || strings.Count(back, "\n  +") != strings.Count(text, "\n  -") || strings.Count(back, "\n") != strings.Count(text, "\n") {
			t.Errorf("%s: back:\n%s", name, back)
		}
	}
}

// Property: what a bundle has that could command a terminal is shown as text.
func TestTextIsVisible(t *testing.T) {
	var b bytes.Buffer
	d := &diff.Diff{Seals: []diff.Item{{Change: diff.Added, Name: "\x1b[2Jkey\u202e"}}, Signers: []diff.Item{{Change: diff.Removed, Name: "a\nb"}}}
	if err := diff.Text(&b, d); err != nil || strings.ContainsAny(b.String(), "\x1b\u202e") || !strings.Contains(b.String(), `\x1b[2Jkey\u202e`) || !strings.Contains(b.String(), `a\nb`) {
		t.Errorf("%q, %v", b.String(), err)
	}
}
