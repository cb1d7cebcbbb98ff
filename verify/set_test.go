package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/verify"
)

// carried makes the bundle carry the modules as they are in the world, and
// writes what it carries into a folder, as unpack would.
func carried(w *world) *bundles.Bundle {
	w.Helper()
	w.edit = func(p *bundles.Payload) {
		content := map[string]string{}
		add := func(data string) bundles.Content {
			sum := modhash.Digest(sha256.Sum256([]byte(data)))
			content[sum.String()] = data
			return bundles.Content{Size: int64(len(data)), SHA256: sum.String()}
		}
		for i := range p.Manifest.Modules {
			d := &p.Manifest.Modules[i]
			m := w.mod(d.Path)
			d.Carried = &bundles.Carried{Info: add(`{"Version":"` + d.Version + `"}` + "\n"), Mod: add(m.goMod()), Zip: add(string(m.zip())).Size}
		}
		p.Carry = func(f bundles.CarriedFile) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content[f.SHA256])), nil
		}
	}
	for _, m := range w.mods {
		write(w, w.path("to/"+m.download(".zip")), string(m.zip()))
		write(w, w.path("to/"+m.download(".mod")), m.goMod())
	}
	file := w.bundle()
	b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{Seals: w.request.Seals})
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// Property: CheckCarried judges what is in the folder, all of it and by the
// content alone; neither project nor module cache has a part in it.
func TestCheckCarried(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(w *world, file func(path, suffix string) string)
		status verify.Status // of plain
		says   string
	}{
		{"as it is", func(*world, func(string, string) string) {}, verify.Verified, ""},
		{"no project, no cache", func(w *world, _ func(string, string) string) {
			remove(w, w.path("project"))
			remove(w, w.path("cache"))
		}, verify.Verified, ""},
		{"other content", func(w *world, file func(string, string) string) {
			write(w, file(plain, ".zip"), string(w.mod(plain).with(map[string]string{"plain.go": "package evil\n"}).zip()))
		}, verify.Mismatch, "(" + verify.CarriedName + "/example.com/plain/@v/v1.0.0.zip)"},
		{"another go.mod", func(w *world, file func(string, string) string) {
			write(w, file(plain, ".mod"), "module example.com/plain\n")
		}, verify.Mismatch, "go.mod differs from the log"},
		{"no zip", func(w *world, file func(string, string) string) { remove(w, file(plain, ".zip")) }, verify.NotOnDisk, "is in " + verify.CarriedName},
		{"no go.mod beside the zip, where it is proven too", func(w *world, file func(string, string) string) { remove(w, file(plain, ".mod")) }, verify.Verified, ""},
		{"a link", func(w *world, file func(string, string) string) { link(w, file(plain, ".zip")) }, verify.Mismatch, "symbolic link"},
	} {
		w := newWorld(t)
		b := carried(w)
		c.spoil(w, func(path, suffix string) string { return w.path("to/" + w.mod(path).download(suffix)) })
		w.request.Policy = policy.FromFlags(w.flags)
		r, err := verify.CheckCarried(context.Background(), w.request, b, w.path("to"))
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, r)
		for _, m := range r.Modules {
			want := verify.Verified
			if m.Path == plain {
				want = c.status
			}
			if m.Status != want || m.Path == plain && !strings.Contains(m.Reason, c.says) {
				t.Errorf("%s: %s: %s: %s", c.name, m.Path, m.Status, m.Reason)
			}
			if strings.Contains(m.Reason+m.Hint, w.dir) || strings.Contains(m.Hint, "module cache") {
				t.Errorf("%s: the report names what nobody knows: %s, %s", c.name, m.Reason, m.Hint)
			}
		}
		if len(r.Modules) != len(w.mods) || r.OK != (c.status == verify.Verified) {
			t.Errorf("%s: %d modules, ok %t", c.name, len(r.Modules), r.OK)
		}
	}
}

// Property: nothing to judge, nobody to trust and no rules are no pass.
func TestCheckCarriedNothing(t *testing.T) {
	w := newWorld(t)
	b := carried(w)
	w.request.Policy = nil
	if r, err := verify.CheckCarried(context.Background(), w.request, b, w.path("to")); err != nil || r.OK || r.Counts["verified"] > 0 {
		t.Errorf("without a policy: %+v, %v", r, err)
	}
	if r, err := verify.CheckCarried(context.Background(), verify.Request{}, b, w.path("to")); r != nil || err == nil {
		t.Errorf("without anything: %+v, %v", r, err)
	}
	w = newWorld(t)
	file := w.bundle()
	plain, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{Seals: w.request.Seals})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := verify.CheckCarried(context.Background(), w.request, plain, t.TempDir()); r != nil || !errors.Is(err, verify.ErrNotCarried) {
		t.Errorf("of a bundle without modules: %+v, %v", r, err)
	}
}
