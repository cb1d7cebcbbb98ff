package verify_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/verify"
)

// flatZips puts all zips into one folder, under names that say little, and takes
// the module cache away.
func flatZips(w *world) {
	for _, m := range w.mods {
		write(w, w.path("zips/"+filepath.Base(m.tree())+".zip"), string(m.zip()))
	}
	zipsOnly(w)
}

// proxyZips lays zips and .mod files out as a module proxy does.
func proxyZips(w *world) {
	for _, m := range w.mods {
		write(w, w.path("zips/"+m.download(".zip")), string(m.zip()))
		write(w, w.path("zips/"+m.download(".mod")), m.goMod())
	}
	zipsOnly(w)
}

// cacheZips is the download part of a module cache, without the trees.
func cacheZips(w *world) {
	for _, m := range w.mods {
		write(w, w.path("zips/cache/download/"+m.download(".zip")), string(m.zip()))
		write(w, w.path("zips/cache/download/"+m.download(".mod")), m.goMod())
	}
	zipsOnly(w)
}

func zipsOnly(w *world) {
	remove(w, w.path("cache"))
	w.request.Zips, w.request.ModCache = w.path("zips"), ""
}

// Property: a folder of zips is verified zip by zip, by what is in them.
func TestZips(t *testing.T) {
	evil := func(w *world) []byte { return w.mod(plain).with(map[string]string{"plain.go": "package evil\n"}).zip() }
	for _, layout := range []struct {
		name    string
		prepare func(*world)
		zip     func(w *world, path string) string
	}{
		{"flat", flatZips, func(w *world, path string) string {
			return w.path("zips/" + filepath.Base(w.mod(path).tree()) + ".zip")
		}},
		{"proxy", proxyZips, func(w *world, path string) string { return w.path("zips/" + w.mod(path).download(".zip")) }},
		{"cache", cacheZips, func(w *world, path string) string {
			return w.path("zips/cache/download/" + w.mod(path).download(".zip"))
		}},
	} {
		t.Run(layout.name, func(t *testing.T) {
			mismatch := statuses{plain: verify.Mismatch}
			tell(t, layout.prepare, []lie{
				{"evil", func(w *world) { write(w, layout.zip(w, plain), string(evil(w))) }, mismatch, "content differs from the log"},
				{"other bytes, same content", func(w *world) { write(w, layout.zip(w, plain), string(w.mod(plain).stored())) }, statuses{plain: verify.Verified}, ""},
				{"missing", func(w *world) { remove(w, layout.zip(w, plain)) }, statuses{plain: verify.NotOnDisk}, "neither its zip"},
				{"missing behind an escaped path", func(w *world) { remove(w, layout.zip(w, upper)) }, statuses{upper: verify.NotOnDisk}, "neither its zip"},
			})
		})
	}
	t.Run("mod file", func(t *testing.T) {
		tell(t, proxyZips, []lie{{"changed", func(w *world) {
			write(w, w.path("zips/"+w.mod(plain).download(".mod")), "module example.com/plain\n")
		}, statuses{plain: verify.Mismatch}, "go.mod differs from the log"}})
	})
	t.Run("two places", func(t *testing.T) {
		tell(t, proxyZips, []lie{{"another zip of the module", func(w *world) {
			write(w, w.path("zips/cache/download/"+w.mod(plain).download(".zip")), string(w.mod(plain).zip()))
		}, statuses{plain: verify.NotOnDisk}, "two zips claim to be this module"}})
	})
}

// Property: a flat folder in which two zips claim to be one module, or a zip is a
// link, can't be verified at all.
func TestZipsUnclear(t *testing.T) {
	w := newWorld(t)
	flatZips(w)
	write(w, w.path("zips/second.zip"), string(w.mod(plain).zip()))
	var twice *gomod.AmbiguousZipError
	if r, err := w.try(context.Background()); r != nil || !errors.As(err, &twice) {
		t.Errorf("%v, %v", r, err)
	}
	remove(w, w.path("zips/second.zip"))
	link(w, w.path("zips/"+filepath.Base(w.mod(plain).tree())+".zip"))
	if r, err := w.try(context.Background()); r != nil || err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("%v, %v", r, err)
	}
	w.request.Zips = w.path("nowhere")
	if r, err := w.try(context.Background()); r != nil || err == nil {
		t.Errorf("%v, %v", r, err)
	}
}
