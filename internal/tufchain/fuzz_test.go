package tufchain_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/tufchain"
)

// Property: whatever the files are, the pinned root among them, a walk ends in a
// result or an *Error and never panics; and files that replace a good chain's
// lead to that chain's target or to none.
func FuzzWalk(f *testing.F) {
	r := rotated(true)
	chain := r.Chain(1)
	f.Add(r.RootFile(1), chain["2.root.json"], chain["timestamp.json"], chain["1.snapshot.json"], chain["1.targets.json"])
	nested := []byte(`{"signed":` + strings.Repeat("[", 10_000))
	f.Add(r.RootFile(1), nested, nested, nested, nested)
	f.Add(bytes.Replace(r.RootFile(1), []byte(`"signed"`), []byte(`"signed":{},"signed"`), 1), []byte{}, chain["timestamp.json"], chain["1.snapshot.json"], chain["1.targets.json"])
	f.Add([]byte(`{"signed":{"_type":"root","roles":{"root":null}}}`), []byte(`null`), []byte(`{}`), []byte(``), []byte(`{"signed":{"_type":"targets","targets":{"x":null}}}`))
	f.Fuzz(func(t *testing.T, pinned, root, timestamp, snapshot, targets []byte) {
		files := tufchain.Files(r.Chain(1))
		files["2.root.json"], files["timestamp.json"], files["1.snapshot.json"], files["1.targets.json"] = root, timestamp, snapshot, targets
		got, err := tufchain.Walk(r.RootFile(1), files, now())
		var e *tufchain.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("error %v is not an *Error", err)
		}
		if err == nil && string(got.TrustedRoot) != "trusted root 1" {
			t.Errorf("led to %q", got.TrustedRoot)
		}
		for name, data := range map[string][]byte{"2.root.json": root, "timestamp.json": timestamp, "1.snapshot.json": snapshot, "1.targets.json": targets} {
			one := tufchain.Files(r.Chain(1)) // each alone comes further
			one[name] = data
			if got, err := tufchain.Walk(r.RootFile(1), one, now()); err == nil && string(got.TrustedRoot) != "trusted root 1" {
				t.Errorf("%s led to %q", name, got.TrustedRoot)
			}
		}
		if _, err := tufchain.Walk(pinned, files, now()); err != nil && !errors.As(err, &e) {
			t.Errorf("error %v is not an *Error", err)
		}
	})
}
