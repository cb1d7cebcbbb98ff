package tufchain_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/modseal/modseal/internal/testtuf"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/internal/tufchain"
)

// In these tests it is 2026-06-01. The first root expires in 2026-03, each other
// in 2027.
func now() time.Time { return day("2026-06-01") }

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func roles() testtuf.Roles {
	return testtuf.Roles{Root: []string{"a", "b", "c"}, Threshold: 2, Timestamp: "online", Snapshot: "online", Targets: "t", Expires: day("2027-01-01")}
}

// rotated is a repository with three roots: the second has another key and
// another timestamp key, the third a higher threshold.
func rotated(consistent bool) *testtuf.Repo {
	first, second, third := roles(), roles(), roles()
	first.Expires = day("2026-03-01")
	second.Root, second.Timestamp, second.Snapshot = []string{"a", "b", "d"}, "online2", "online2"
	third = second
	third.Threshold = 3
	r := testtuf.New(consistent, first)
	r.Rotate(second, "a", "b")
	r.Rotate(third, "a", "b", "d")
	r.Publish(testtuf.State{Target: []byte("trusted root 1"), Timestamp: day("2026-06-08"), Snapshot: day("2026-06-20"), Targets: day("2026-09-01")})
	return r
}

func walk(pinned []byte, files map[string][]byte, at time.Time) (*tufchain.Result, error) {
	return tufchain.Walk(pinned, tufchain.Files(files), at)
}

// wantKind demands an error of one kind that names the file and says what to do.
func wantKind(t *testing.T, err error, kind tufchain.Kind, words ...string) {
	t.Helper()
	var e *tufchain.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("error %v, want one of kind %s", err, kind)
	}
	if e.Advice == "" {
		t.Errorf("%v says nothing about what to do", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error()+" "+e.Advice, word) {
			t.Errorf("%v (%s) does not say %q", err, e.Advice, word)
		}
	}
}

// Property: a chain of rotations leads from the pinned root to the target, and
// the result says where it went; with consistent snapshots and without.
func TestWalk(t *testing.T) {
	for _, consistent := range []bool{true, false} {
		r := rotated(consistent)
		for pinned := int64(1); pinned <= 3; pinned++ {
			got, err := walk(r.RootFile(pinned), r.Chain(pinned), now())
			if err != nil {
				t.Fatal(err)
			}
			if string(got.TrustedRoot) != "trusted root 1" || got.PinnedVersion != pinned || got.Root.Version != 3 || got.Moved() != (pinned != 3) {
				t.Errorf("pinned %d: %+v", pinned, got)
			}
			if !got.Expires().Equal(day("2026-06-08")) || got.Targets.Version != 1 || !got.Snapshot.Expires.Equal(day("2026-06-20")) {
				t.Errorf("pinned %d: %+v", pinned, got)
			}
		}
		// a chain may hold roots that are not newer than the pinned one
		if _, err := walk(r.RootFile(3), r.Chain(0), now()); err != nil {
			t.Error(err)
		}
	}
}

// Property: the roots that are built in are what they are said to be.
func TestBuiltIn(t *testing.T) {
	for _, test := range []struct {
		root    []byte
		version string
	}{{trust.PublicGoodTUFRoot(), "version 14, and expired 2026-06-22T13:27:01Z"}, {trust.StagingTUFRoot(), "version 13, and expired 2026-05-22T19:23:14Z"}} {
		_, err := walk(test.root, nil, day("2026-07-01"))
		wantKind(t, err, tufchain.Expired, test.version)
		_, err = walk(test.root, nil, day("2026-05-01"))
		wantKind(t, err, tufchain.Missing, "timestamp.json")
	}
}

// Property: every single lie about a chain is refused as what it is.
func TestWalkLies(t *testing.T) {
	base := rotated(true)
	other := testtuf.New(true, roles())
	other.Rotate(roles(), "a", "b")
	for name, test := range map[string]struct {
		change func(r *testtuf.Repo, chain map[string][]byte)
		kind   tufchain.Kind
		words  []string
	}{
		"the last rotation is withheld and changed the threshold alone": {
			func(r *testtuf.Repo, c map[string][]byte) { delete(c, "3.root.json") }, "", nil},
		"all rotations are withheld": {
			func(r *testtuf.Repo, c map[string][]byte) { delete(c, "3.root.json"); delete(c, "2.root.json") },
			tufchain.Expired, []string{"the newest root of the chain is version 1, and expired 2026-03-01T00:00:00Z", "as of 2026-06-01T00:00:00Z", "withholds a rotation"}},
		"a rotation in the middle is withheld": {
			func(r *testtuf.Repo, c map[string][]byte) { delete(c, "2.root.json") },
			tufchain.Gap, []string{"2.root.json", "between root 1", "and root 3", "--tuf-root"}},
		"a rotation by too few keys of the root before": {
			func(r *testtuf.Repo, c map[string][]byte) {
				forged := base.Clone()
				forged.Rotate(roles(), "a", "b") // the third root wants three
				c["4.root.json"] = forged.RootFile(4)
			}, tufchain.Unsigned, []string{"4.root.json", "got 2, want 3"}},
		"a rotation by too few keys of its own": {
			func(r *testtuf.Repo, c map[string][]byte) {
				forged, own := base.Clone(), roles()
				own.Root, own.Threshold = []string{"a", "x", "y"}, 2
				forged.Rotate(own, "a", "b", "d")
				c["4.root.json"] = forged.RootFile(4)
			}, tufchain.Unsigned, []string{"4.root.json", "got 1, want 2"}},
		"one key under two names counts once": {
			func(r *testtuf.Repo, c map[string][]byte) {
				forged := base.Clone()
				forged.Rotate(roles(), "a", "a", "a")
				c["4.root.json"] = forged.RootFile(4)
			}, tufchain.Malformed, []string{"4.root.json"}},
		"a root of another repository": {
			func(r *testtuf.Repo, c map[string][]byte) { c["2.root.json"] = unrelated().RootFile(2) },
			tufchain.Unsigned, []string{"2.root.json", "name its root with --tuf-root"}},
		"a root under the name of another version": {
			func(r *testtuf.Repo, c map[string][]byte) { c["4.root.json"] = c["3.root.json"] },
			tufchain.Swapped, []string{"4.root.json", "expected 4, got 3"}},
		"a root's signature is damaged": {
			func(r *testtuf.Repo, c map[string][]byte) {
				c["3.root.json"] = bytes.ReplaceAll(c["3.root.json"], []byte(`"sig":"`), []byte(`"sig":"00`))
			}, tufchain.Unsigned, []string{"3.root.json", "got 0"}},
		"what is signed is changed": {
			func(r *testtuf.Repo, c map[string][]byte) {
				c["3.root.json"] = bytes.Replace(c["3.root.json"], []byte("2027-01-01"), []byte("2037-01-01"), 1)
			}, tufchain.Unsigned, []string{"3.root.json"}},
		"the timestamp is missing": {
			func(r *testtuf.Repo, c map[string][]byte) { delete(c, "timestamp.json") },
			tufchain.Missing, []string{"timestamp.json: it is missing", "fetch the chain again"}},
		"the snapshot is missing": {
			func(r *testtuf.Repo, c map[string][]byte) { delete(c, "1.snapshot.json") }, tufchain.Missing, []string{"1.snapshot.json"}},
		"the targets are missing": {
			func(r *testtuf.Repo, c map[string][]byte) { delete(c, "1.targets.json") }, tufchain.Missing, []string{"1.targets.json"}},
		"the target is missing": {
			func(r *testtuf.Repo, c map[string][]byte) { delete(c, targetOf(c)) }, tufchain.Missing, []string{".trusted_root.json"}},
		"the target is swapped": {
			func(r *testtuf.Repo, c map[string][]byte) { c[targetOf(c)] = []byte("trusted root 2") },
			tufchain.Swapped, []string{".trusted_root.json", "not the file that the metadata before it names"}},
		"the target is longer": {
			func(r *testtuf.Repo, c map[string][]byte) { c[targetOf(c)] = append(c[targetOf(c)], ' ') }, tufchain.Swapped, nil},
		"the timestamp is by the key before the rotation": {
			func(r *testtuf.Repo, c map[string][]byte) {
				old := testtuf.New(true, roles())
				old.Publish(testtuf.State{Target: []byte("evil")})
				c["timestamp.json"] = old.Files["timestamp.json"]
			}, tufchain.Unsigned, []string{"timestamp.json"}},
		"targets by the online key": {
			func(r *testtuf.Repo, c map[string][]byte) {
				m := metadata.Targets(day("2027-01-01"))
				c["1.targets.json"] = testtuf.Sign(r, m, "online2")
			}, tufchain.Unsigned, []string{"1.targets.json"}},
		"a timestamp in place of the snapshot": {
			func(r *testtuf.Repo, c map[string][]byte) { c["1.snapshot.json"] = c["timestamp.json"] }, tufchain.Malformed, []string{"1.snapshot.json"}},
		"a truncated file": {
			func(r *testtuf.Repo, c map[string][]byte) { c["1.targets.json"] = c["1.targets.json"][:100] }, tufchain.Malformed, []string{"1.targets.json"}},
		"an empty file": {
			func(r *testtuf.Repo, c map[string][]byte) { c["2.root.json"] = nil }, tufchain.Malformed, []string{"2.root.json"}},
		"a second snapshot": {
			func(r *testtuf.Repo, c map[string][]byte) { c["2.snapshot.json"] = c["1.snapshot.json"] }, tufchain.Unexpected, []string{"2.snapshot.json"}},
		"a file that no chain has": {
			func(r *testtuf.Repo, c map[string][]byte) { c["README"] = nil }, tufchain.Unexpected, []string{"README"}},
		"a name that leaves the folder": {
			func(r *testtuf.Repo, c map[string][]byte) { c["targets/../../trusted_root.json"] = nil }, tufchain.Unexpected, nil},
	} {
		t.Run(name, func(t *testing.T) {
			chain := base.Chain(1)
			test.change(base.Clone(), chain)
			got, err := walk(base.RootFile(1), chain, now())
			if test.kind == "" { // the limit of what can be known: the result shows it
				if err != nil || got.Root.Version != 2 {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			wantKind(t, err, test.kind, test.words...)
		})
	}
}

// unrelated is a repository of strangers.
func unrelated() *testtuf.Repo {
	o := roles()
	o.Root = []string{"x", "y", "z"}
	r := testtuf.New(true, o)
	r.Rotate(o, "x", "y")
	r.Publish(testtuf.State{Target: []byte("strangers")})
	return r
}

func targetOf(chain map[string][]byte) string {
	for name := range chain {
		if strings.HasPrefix(name, "targets/") {
			return name
		}
	}
	panic("no target")
}

// Property: every role is judged at the time that was asked for, to the second,
// and the error names the date.
func TestWalkExpiry(t *testing.T) {
	r := rotated(true)
	late := r.Clone()
	late.Publish(testtuf.State{Target: []byte("x"), Snapshot: day("2026-05-01")})
	later := r.Clone()
	later.Publish(testtuf.State{Target: []byte("x"), Targets: day("2026-05-01")})
	for _, test := range []struct {
		repo *testtuf.Repo
		at   time.Time
		file string // "" is a pass
		date string
	}{
		{r, day("2020-01-01"), "", ""},
		{r, day("2026-06-08"), "", ""},
		{r, day("2026-06-08").Add(time.Second), "timestamp.json", "2026-06-08"},
		{r, day("2026-12-01"), "timestamp.json", "2026-06-08"},
		{r, day("2027-01-02"), "the newest root of the chain is version 3", "2027-01-01"},
		{late, now(), "2.snapshot.json", "2026-05-01"},
		{later, now(), "2.targets.json", "2026-05-01"},
	} {
		_, err := walk(test.repo.RootFile(1), test.repo.Chain(1), test.at)
		if test.file == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantKind(t, err, tufchain.Expired, test.file, "expired "+test.date+"T00:00:00Z", "--at TIME")
	}
	_, err := walk(r.RootFile(1), r.Chain(1), time.Time{})
	wantKind(t, err, tufchain.NoTime)
}

// Property: a chain that is older than the pinned root passes while the keys
// that signed it are still named, and otherwise says so.
func TestWalkPinnedIsNewer(t *testing.T) {
	r := rotated(true)
	old := r.Chain(1) // ends at root 3
	r.Rotate(roles(), "a", "b", "d")
	_, err := walk(r.RootFile(4), old, now())
	wantKind(t, err, tufchain.Unsigned, "the chain is older than the pinned root", "--tuf-root")
	_, err = walk(r.RootFile(4), old, day("2090-01-01"))
	wantKind(t, err, tufchain.Expired, "no root of the chain is as new as the pinned one", "--tuf-root")
	same := roles()
	same.Timestamp, same.Snapshot = "online2", "online2"
	r.Rotate(same, "a", "b")
	got, err := walk(r.RootFile(5), old, now())
	if err != nil || got.Root.Version != 5 || got.Moved() {
		t.Errorf("%+v, %v", got, err)
	}
}

// Property: what those who hold the keys leave out is an error, not a panic.
func TestWalkNulls(t *testing.T) {
	for says, state := range map[string]testtuf.State{
		"timestamp.json: it names no snapshot.json":      {EditTimestamp: func(m *metadata.TimestampType) { m.Meta = nil }},
		"timestamp.json: it names no snapshot.json ":     {EditTimestamp: func(m *metadata.TimestampType) { m.Meta["snapshot.json"] = nil }},
		`timestamp.json: "other.json" is null`:           {EditTimestamp: func(m *metadata.TimestampType) { m.Meta["other.json"] = nil }},
		`timestamp.json: "snapshot.json": version 0`:     {EditTimestamp: func(m *metadata.TimestampType) { m.Meta["snapshot.json"].Version = 0 }},
		"the snapshot names no targets.json":             {EditSnapshot: func(m *metadata.SnapshotType) { m.Meta = nil }},
		`1.snapshot.json: "targets.json" is null`:        {EditSnapshot: func(m *metadata.SnapshotType) { m.Meta["targets.json"] = nil }},
		"targets.json names no trusted_root.json":        {EditTargets: func(m *metadata.TargetsType) { m.Targets = nil }},
		`1.targets.json: target "x" is null`:             {EditTargets: func(m *metadata.TargetsType) { m.Targets["x"] = nil }},
		"1.targets.json: hashes must not be empty":       {EditTargets: func(m *metadata.TargetsType) { m.Targets["trusted_root.json"].Hashes = nil }},
		"unknown hashing algorithm - md5":                {EditTargets: func(m *metadata.TargetsType) { m.Targets["trusted_root.json"].Hashes["md5"] = []byte{1} }},
		"targets.json gives no SHA-256 of trusted_root.": {EditTargets: func(m *metadata.TargetsType) { m.Targets["trusted_root.json"].Hashes["sha256"] = []byte{1} }},
	} {
		r := testtuf.New(true, roles())
		r.Publish(state)
		_, err := walk(r.RootFile(1), r.Files, now())
		var e *tufchain.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), strings.TrimSpace(says)) {
			t.Errorf("%v, want %s", err, says)
		}
	}
	// go-tuf looks at each of two equal members, and so do we
	r := rotated(true)
	chain := r.Chain(1)
	chain["1.targets.json"] = []byte(`{"signed":{"_type":"targets","targets":{"x":null}},"Signed":{"_type":"targets","targets":{"x":{"hashes":{"a":"00"}}}},"signed":{"_type":"targets"}}`)
	_, err := walk(r.RootFile(1), chain, now())
	wantKind(t, err, tufchain.Malformed, `target "x" is null`)
	for name, file := range map[string]string{
		"nothing":       ``,
		"null":          `null`,
		"no roles":      `{"signed":{"_type":"root","version":1,"roles":{}},"signatures":[]}`,
		"null role":     `{"signed":{"_type":"root","version":1,"roles":{"root":null,"timestamp":{},"snapshot":{},"targets":{}}},"signatures":[]}`,
		"null key":      `{"signed":{"_type":"root","version":1,"keys":{"a":null},"roles":{"root":{"keyids":["a"],"threshold":1},"timestamp":{},"snapshot":{},"targets":{}}},"signatures":[]}`,
		"short key":     `{"signed":{"_type":"root","version":1,"keys":{"a":{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"00"}}},"roles":{"root":{"keyids":["a"],"threshold":1},"timestamp":{},"snapshot":{},"targets":{}}},"signatures":[{"keyid":"a","sig":"00"}]}`,
		"no signatures": string(bytes.Replace(testtuf.New(true, roles()).RootFile(1), []byte(`"signatures":[{`), []byte(`"signatures":[],"x":[{`), 1)),
	} {
		_, err := walk([]byte(file), nil, now())
		var e *tufchain.Error
		if !errors.As(err, &e) || e.File != "the pinned root" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
