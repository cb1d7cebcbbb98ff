package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/verify"
)

// project writes a project of these modules of the world, and gives its folder.
func (w *world) project(name string, paths ...string) string {
	var goMod, goSum strings.Builder
	fmt.Fprintf(&goMod, "module example.com/%s\n\ngo 1.21\n\nrequire (\n", name)
	for _, path := range paths {
		fmt.Fprintf(&goMod, "\t%s %s\n", path, w.mod(path).Version.Version)
		goSum.WriteString(w.mod(path).record())
	}
	write(w, w.path(name+"/go.mod"), goMod.String()+")\n")
	write(w, w.path(name+"/go.sum"), goSum.String())
	return w.path(name)
}

// given makes the bundle.
func (w *world) given() verify.Request {
	b := w.bundle()
	w.request.Bundle, w.request.BundleSize, w.request.Policy = bytes.NewReader(b), int64(len(b)), policy.FromFlags(w.flags)
	return w.request
}

// Property: of a bundle of many projects, signed entries that speak of the modules of
// the one that is verified are read, and no others: neither claims nor signatures.
func TestOnlyEntriesInQuestionAreJudged(t *testing.T) {
	w := newWorld(t)
	r := w.given()
	for _, paths := range [][]string{{plain}, {bare, upper}, {old, plain, pseudo}} {
		r.Dir = w.project("some", paths...)
		report, judged, err := verify.CheckJudged(context.Background(), r)
		if err != nil || !report.OK || len(report.Modules) != len(paths) {
			t.Fatalf("%q: %+v, %v", paths, report, err)
		}
		want := map[string]bool{}
		for _, l := range w.leaves {
			if l.what != "record" && slices.Contains(paths, l.of) {
				want[string(l.body)] = true
			}
		}
		if !maps.Equal(judged, want) || len(want) != 2*len(paths) {
			t.Errorf("%q: %d entries were judged, want the %d that speak of them", paths, len(judged), len(want))
		}
	}
	r.Dir, r.Artifacts = "", []verify.Artifact{{Name: "a", Digests: []verify.Digest{{Algorithm: "sha256", Hex: strings.Repeat("ab", 32)}}}}
	if _, judged, err := verify.CheckJudged(context.Background(), r); err != nil || len(judged) != 0 {
		t.Errorf("for an artifact that no entry is over %d entries were judged, %v", len(judged), err)
	}
}

// Property: an entry that does not verify matters to the projects whose module it
// speaks of, and to no others.
func TestLieAboutAnotherProjectsModule(t *testing.T) {
	w := newWorld(t)
	w.flags.Require = policy.RequireRekor
	for _, what := range []string{"zip", "listing"} {
		w.leaf(bare, what).lie = func(e *bundles.Entry) { e.SET = bytes.Repeat([]byte{1}, len(e.SET)) }
	}
	r := w.given()
	for path, want := range map[string]verify.Status{plain: verify.Verified, bare: verify.Invalid} {
		r.Dir = w.project("one", path)
		report, err := verify.Check(context.Background(), r)
		if err != nil || report.OK != (want == verify.Verified) || report.Modules[0].Status != want {
			t.Errorf("%s: %+v, %v; want %s", path, report, err, want)
		}
	}
}

// relisted is the sealed file of a payload whose listings have one text in place of
// another of the same length.
func (w *world) relisted(old, new string) []byte {
	w.Helper()
	var payload, file bytes.Buffer
	if err := bundles.WritePayload(&payload, w.payload()); err != nil {
		w.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		w.Fatal(err)
	}
	defer d.Close()
	tar, err := d.DecodeAll(payload.Bytes(), nil)
	if err != nil {
		w.Fatal(err)
	}
	if n := bytes.Count(tar, []byte(old)); n != 1 || len(old) != len(new) {
		w.Fatalf("%q is there %d times", old, n)
	}
	e, err := zstd.NewWriter(nil)
	if err != nil {
		w.Fatal(err)
	}
	lied := e.EncodeAll(bytes.Replace(tar, []byte(old), []byte(new), 1), nil)
	digests, err := bundles.DigestsOf(bytes.NewReader(lied), int64(len(lied)))
	if err != nil {
		w.Fatal(err)
	}
	by, err := seal.ByKey(private(w, w.sealers[0]), digests)
	if err != nil {
		w.Fatal(err)
	}
	if err := bundles.WriteFile(&file, [][]byte{by}, bytes.NewReader(lied), int64(len(lied))); err != nil {
		w.Fatal(err)
	}
	return file.Bytes()
}

// Property: the listing of a module that the project does not have is not hashed. Where
// it is wanted, one that is not what its name says is no listing.
func TestListingOfAnotherProjectsModule(t *testing.T) {
	w := newWorld(t)
	b := w.relisted("/old.go\n", "/0ld.go\n")
	r := w.request
	r.Bundle, r.BundleSize, r.Policy = bytes.NewReader(b), int64(len(b)), policy.FromFlags(w.flags)
	if _, err := bundles.Open(r.Bundle, r.BundleSize, bundles.OpenOptions{Seals: r.Seals, Whole: true}); !errors.Is(err, bundles.ErrDamaged) {
		t.Fatalf("opened whole: %v", err)
	}
	write(w, w.unpacked(plain, "plain.go"), "package evil\n") // so that listings are asked for
	r.Dir = w.project("one", plain)
	report, err := verify.Check(context.Background(), r)
	if err != nil || len(report.Modules[0].Differences) != 1 {
		t.Errorf("another module's listing: %+v, %v", report, err)
	}
	write(w, w.unpacked(old, "old.go"), "package evil\n")
	r.Dir = w.project("both", plain, old)
	if _, err := verify.Check(context.Background(), r); !errors.Is(err, bundles.ErrDamaged) {
		t.Errorf("its own listing: %v", err)
	}
	if err := verify.CheckEach(context.Background(), r, []verify.Target{{Dir: w.project("one", plain)}}, nil); !errors.Is(err, bundles.ErrDamaged) {
		t.Errorf("by whoever made the bundle: %v", err)
	}
}

// Property: projects that are verified together have the reports that each has by
// itself, whatever is wrong with one of them; a module that has passed, or lacks
// evidence, is not hashed again.
func TestCheckEach(t *testing.T) {
	w := newWorld(t)
	w.drop(upper, "record", "zip", "listing")
	r := w.given()
	targets := []verify.Target{
		{Dir: w.project("a", bare, plain)}, {Dir: w.project("b", bare, old, plain)}, {Dir: w.project("c", old, plain), Mod: "mod"},
		{Artifacts: []verify.Artifact{{Name: "x", Digests: []verify.Digest{{Algorithm: "sha256", Hex: strings.Repeat("ab", 32)}}}}},
	}
	lying := w.project("lying", bare, pseudo)
	replaceIn(w, lying+"/go.sum", w.mod(bare).record(), strings.ReplaceAll(w.mod(plain).record(), plain+" v1.0.0", bare+" v0.3.0"))
	sums, err := os.ReadFile(lying + "/go.sum")
	if err != nil {
		t.Fatal(err)
	}
	var works []string // workspaces that lie in the same way, in files of different names
	for _, name := range []string{"ws/m", "ws2/k"} {
		works = append(works, w.project(name, bare, pseudo))
		write(w, w.path(name+"/go.sum"), string(sums))
		write(w, w.path(name+"/../go.work"), "go 1.21\n\nuse ./"+filepath.Base(name)+"\n")
	}
	targets = append(targets, verify.Target{Dir: lying}, verify.Target{Dir: w.project("lacking", upper)}, verify.Target{Dir: w.project("too", plain, upper)}, verify.Target{Dir: works[0]}, verify.Target{Dir: works[1]})
	for _, name := range []string{"as it is", "one was changed"} {
		if name == "one was changed" {
			write(w, w.unpacked(bare, "bare.go"), "package evil\n")
		}
		alone := make([]int64, len(targets))
		together, passed := int64(0), 0
		var n atomic.Int64
		r.Progress = func(p verify.Progress) { n.Add(p.Bytes) }
		var want, got []*verify.Report
		for i, target := range targets {
			one := r
			one.Dir, one.Mod, one.Artifacts = target.Dir, target.Mod, target.Artifacts
			report, err := verify.Check(context.Background(), one)
			if err != nil {
				t.Fatal(err)
			}
			want, alone[i] = append(want, report), n.Swap(0)
		}
		err := verify.CheckEach(context.Background(), r, targets, func(target verify.Target, report *verify.Report) error {
			if !reflect.DeepEqual(target, targets[len(got)]) {
				t.Errorf("%s: report %d is of %+v", name, len(got), target)
			}
			if report.OK {
				passed++
			}
			got = append(got, report)
			return nil
		})
		together = n.Load()
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %d reports, %v", name, len(got), err)
		}
		for i := range want {
			a, _ := json.Marshal(want[i])
			b, _ := json.Marshal(got[i])
			if !bytes.Equal(a, b) {
				t.Errorf("%s: target %d alone:\n%s\nand among others:\n%s", name, i, a, b)
			}
		}
		if name == "as it is" {
			again := alone[0] - (alone[6] - alone[5])                   // what speaks against a module is found in each
			hashed := alone[1] + alone[4] + alone[5] + alone[7] + again // by their go.sum, the modules that some have are not alike
			if together != hashed || passed != 3 {
				t.Errorf("%d bytes were hashed, want %d: each module once; %d passed", together, hashed, passed)
			}
		} else if passed != 1 || together >= alone[0]+alone[1]+alone[2]+alone[4] {
			t.Errorf("%d passed, %d bytes were hashed", passed, together)
		}
	}
	enough := errors.New("enough")
	if err := verify.CheckEach(context.Background(), r, targets, func(verify.Target, *verify.Report) error { return enough }); err != enough {
		t.Errorf("%v, want the caller's own error", err)
	}
	if err := verify.CheckEach(context.Background(), r, []verify.Target{{}}, nil); !errors.Is(err, verify.ErrNothing) {
		t.Errorf("a target of nothing: %v", err)
	}
}
