package snapshot_test

import (
	"errors"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/snapshot"
)

// carriedFiles are the module files in the output, by name.
func (w *world) carriedFiles() map[string]string {
	w.Helper()
	out := map[string]string{}
	err := w.bundle().Carried(func(f bundles.CarriedFile, r io.Reader) error {
		data, err := io.ReadAll(r)
		out[strings.TrimPrefix(f.Name, "cache/download/")] = string(data)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// Property: what is carried are the zips and go.mod files of the module cache,
// and of the metadata version and time alone, whatever else is in it.
func TestCarry(t *testing.T) {
	w := newWorld(t)
	w.request.WithModules = true
	info := func(name string) string {
		return w.path("cache/cache/download/example.com/" + name + "/@v/v1.0.0.info")
	}
	write(t, info("plain"), `{"Version":"v9.9.9","Time":"2026-01-01T01:30:00.5+01:00","Origin":{"VCS":"git","URL":"https://example.com/leak"}}`)
	write(t, info("!upper"), "not JSON")
	if err := os.Remove(w.path("cache/cache/download/corp.example.com/secret/@v/v1.0.0.info")); err != nil {
		t.Fatal(err)
	}
	s := w.take()
	want, all := map[string]string{}, int64(0)
	for path, m := range map[string]string{plain: "example.com/plain", upper: "example.com/!upper", corp: "corp.example.com/secret"} {
		want[m+"/@v/v1.0.0.zip"], want[m+"/@v/v1.0.0.mod"] = string(w.mod(path).zip()), w.mod(path).files["go.mod"]
		want[m+"/@v/v1.0.0.info"] = `{"Version":"v1.0.0"}` + "\n"
	}
	want["example.com/plain/@v/v1.0.0.info"] = `{"Version":"v1.0.0","Time":"2026-01-01T00:30:00Z"}` + "\n"
	for _, data := range want {
		all += int64(len(data))
	}
	if got := w.carriedFiles(); !maps.Equal(got, want) || s.Carried != all {
		t.Errorf("%d bytes: %q, want %q", s.Carried, got, want)
	}
	if r := w.enclave(); !r.OK {
		t.Errorf("%v", r.Counts)
	}
	w.request.WithModules = false
	if s := w.take(); s.Carried != 0 || w.bundle().Manifest.CarriesModules() {
		t.Error("carried without being asked to")
	}
}

// Property: what is carried was hashed. A zip that changes afterwards, or a file
// that is not there, ends the snapshot and leaves nothing behind.
func TestCarryLies(t *testing.T) {
	download := func(w *world, suffix string) string {
		return w.path("cache/cache/download/example.com/plain/@v/v1.0.0" + suffix)
	}
	evil := newMod(plain, "sub/Sub.go") // as long, and with the same names but for a letter
	for name, c := range map[string]struct {
		late  bool // once everything was hashed
		spoil func(w *world) error
		says  string
	}{
		"another zip": {true, func(w *world) error { return os.WriteFile(download(w, ".zip"), evil.zip(), 0o644) }, "is not the file that the manifest lists"},
		"a cut zip":   {true, func(w *world) error { return os.Truncate(download(w, ".zip"), 10) }, "is not the file that the manifest lists"},
		"a gone zip":  {true, func(w *world) error { return os.Remove(download(w, ".zip")) }, "no such file"},
		"no zip":      {false, func(w *world) error { return os.Remove(download(w, ".zip")) }, "example.com/plain@v1.0.0: its zip is not in the module cache"},
		"no go.mod":   {false, func(w *world) error { return os.Remove(download(w, ".mod")) }, "example.com/plain@v1.0.0: its go.mod is not in the module cache"},
		"a linked go.mod": {false, func(w *world) error {
			return errors.Join(os.Rename(download(w, ".mod"), download(w, ".old")), os.Symlink(download(w, ".old"), download(w, ".mod")))
		}, "symbolic link"},
		"a large go.mod": {false, func(w *world) error {
			return os.WriteFile(download(w, ".mod"), make([]byte, bundles.MaxGoMod+1), 0o644)
		}, "more than 16777216 bytes"},
	} {
		w := newWorld(t)
		w.request.WithModules = true
		var err error
		if c.late {
			w.request.Phase = func(p snapshot.Phase) {
				if p.Name == "check and seal" && p.Done == "" {
					err = c.spoil(w)
				}
			}
		} else {
			err = c.spoil(w)
		}
		if got := w.fail(); err != nil || !strings.Contains(got.Error(), c.says) {
			t.Errorf("%s: %v (%v), want %q in it", name, got, err, c.says)
		}
	}
}
