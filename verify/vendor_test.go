package verify_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/verify"
)

// vendored turns the world's project into one with a vendor folder, and takes
// the module cache away.
func vendored(w *world) {
	var list strings.Builder
	for _, m := range w.mods {
		fmt.Fprintf(&list, "# %s %s\n## explicit", m.Path, m.Version.Version)
		if m.Path == plain {
			list.WriteString("; go 1.21")
		}
		list.WriteString("\n" + m.Path + "\n")
		for name, data := range m.files {
			if name == "go.mod" || filepath.Dir(name) != "." {
				continue
			}
			write(w, w.path("project/vendor/"+m.Path+"/"+name), data)
		}
	}
	write(w, w.path("project/vendor/modules.txt"), list.String())
	w.request.ModCache = w.path("nothing")
	w.edit = func(p *bundles.Payload) {
		for i := range p.Manifest.Modules {
			v := &bundles.Vendored{}
			if p.Manifest.Modules[i].Path == plain {
				v.Go = "1.21"
			}
			p.Manifest.Modules[i].Vendor = v
		}
	}
}

// Property: a vendor folder passes whose files are all those of proven listings,
// by each kind of evidence that proves a listing. Each single lie fails, and
// fails the module that it is about and no other.
func TestVendor(t *testing.T) {
	file := func(name string) string { return "project/vendor/" + plain + "/" + name }
	edit := func(name, data string) func(w *world) { return func(w *world) { write(w, w.path(name), data) } }
	require := func(r policy.Require) func(w *world) { return func(w *world) { w.flags.Require = r } }
	tests := []struct {
		name string
		lie  func(w *world)
		want statuses
		diff string // of plain, or of the folder
	}{
		{"as it is", func(*world) {}, nil, ""},
		{"by records alone", func(w *world) { require(policy.RequireSumDB)(w); w.drop(plain, "zip", "listing") }, nil, ""},
		{"by signatures alone", func(w *world) { require(policy.RequireRekor)(w); w.drop(plain, "record", "zip") }, nil, ""},
		{"a zip's signature proves no listing", func(w *world) { require(policy.RequireRekor)(w); w.drop(plain, "record", "listing") }, statuses{plain: verify.NotOnDisk}, ""},
		{"no evidence", func(w *world) { w.drop(plain, "record", "zip", "listing") }, statuses{plain: verify.NotLogged}, ""},
		{"one kind of two", func(w *world) { w.drop(plain, "zip", "listing") }, statuses{plain: verify.NotAllowed}, ""},
		{"changed", edit(file("plain.go"), "package plain // evil\n"), statuses{plain: verify.Mismatch}, "plain.go changed"},
		{"extra", edit(file("evil.go"), "package plain\n"), statuses{plain: verify.Mismatch}, "evil.go extra"},
		{"proven, and not built", edit(file("sub/sub.go"), "package sub\n"), nil, ""},
		{"another's content", edit(file("sub/sub.go"), "package plain\n"), statuses{plain: verify.Mismatch}, "sub/sub.go changed"},
		{"line endings", edit(file("plain.go"), "package plain\r\n"), statuses{plain: verify.Mismatch}, "plain.go line endings changed (git autocrlf)"},
		{"license gone", func(w *world) { remove(w, w.path(file("LICENSE"))) }, statuses{plain: verify.Mismatch}, "LICENSE missing"},
		{"source gone", func(w *world) { remove(w, w.path(file("plain.go"))) }, statuses{plain: verify.Mismatch}, "plain.go missing"},
		{"said to be ignored", func(w *world) { ignore(w); remove(w, w.path(file("plain.go"))) }, nil, ""},
		{"said so by nobody who is trusted", func(w *world) {
			ignore(w)
			remove(w, w.path(file("plain.go")))
			w.request.Seals, w.request.InsecureIgnoreSeals = nil, true
		}, statuses{plain: verify.Mismatch}, "plain.go missing"},
		{"go line", func(w *world) { replaceIn(w, w.path("project/vendor/modules.txt"), "go 1.21", "go 1.22") }, statuses{plain: verify.Mismatch}, ""},
		{"no go line", func(w *world) { replaceIn(w, w.path("project/vendor/modules.txt"), "; go 1.21", "") }, statuses{plain: verify.Mismatch}, ""},
		{"another module's files, by its proven listing", func(w *world) {
			require(policy.RequireRekor)(w)
			w.drop(plain, "record", "zip", "listing")
			remove(w, w.path("project/vendor/"+plain))
			write(w, w.path(file("bare.go")), w.mod(bare).files["bare.go"])
			digest := w.mod(bare).h1()
			edit := w.edit
			w.edit = func(p *bundles.Payload) {
				edit(p)
				described(p, plain).Listing = fmt.Sprintf("%x", digest)
			}
		}, statuses{plain: verify.NotLogged}, ""},
		{"symbolic link", func(w *world) {
			write(w, w.path("elsewhere"), "package plain\n")
			remove(w, w.path(file("plain.go")))
			linkTo(w, w.path("elsewhere"), w.path(file("plain.go")))
		}, statuses{plain: verify.Mismatch}, "plain.go symbolic link"},
		{"the module is a link", func(w *world) {
			if err := os.Rename(w.path(file("")), w.path("elsewhere")); err != nil {
				w.Fatal(err)
			}
			linkTo(w, w.path("elsewhere"), w.path("project/vendor/"+plain))
		}, statuses{plain: verify.Mismatch}, " symbolic link"},
		{"of nobody", edit("project/vendor/example.net/x.go", "package x\n"), statuses{"vendor": verify.Mismatch}, "example.net/x.go extra"},
		{"of nobody, at the top", edit("project/vendor/x.go", "package x\n"), statuses{"vendor": verify.Mismatch}, "x.go extra"},
		{"go.sum", func(w *world) {
			replaceIn(w, w.path("project/go.sum"), sum(w.mod(plain).h1()), sum(goModH1("module evil\n")))
		}, statuses{plain: verify.Mismatch}, ""},
		{"exempt", func(w *world) { exempted(w); w.drop(plain, "record") }, statuses{plain: verify.Exempt}, ""},
		{"exempt, and not as recorded", func(w *world) { exempted(w); edit(file("plain.go"), "evil")(w) }, statuses{plain: verify.Mismatch}, "plain.go changed"},
		{"exempt, and a link", func(w *world) {
			exempted(w)
			w.drop(plain, "record")
			linkTo(w, w.path("elsewhere"), w.path(file("x.go")))
		}, statuses{plain: verify.Mismatch}, "x.go symbolic link"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			vendored(w)
			test.lie(w)
			r := w.check()
			for _, m := range r.Modules {
				want, ok := test.want[m.Path]
				if !ok {
					want = verify.Verified
				}
				if m.Status != want {
					t.Errorf("%s: %s, want %s: %s", m.Path, m.Status, want, m.Reason)
				}
				root := "vendor/" + plain + "/"
				if m.Path == "vendor" {
					root = "vendor/"
				}
				var diffs []string
				for _, d := range m.Differences {
					diffs = append(diffs, strings.TrimPrefix(d.File+"/", root)[:max(0, len(d.File)-len(root))]+" "+d.Kind)
				}
				if test.diff != "" && ok && !slices.Equal(diffs, []string{test.diff}) && !slices.Contains(diffs, test.diff) {
					t.Errorf("differences %q, want %q", diffs, test.diff)
				}
			}
			wanted := len(w.mods)
			if _, ok := test.want["vendor"]; ok {
				wanted++
			}
			if r.Project.Mod != "vendor" || r.Project.ModCache != "" || len(r.Modules) != wanted {
				t.Errorf("mod %q, module cache %q, %d verdicts", r.Project.Mod, r.Project.ModCache, len(r.Modules))
			}
		})
	}
}

// ignore makes the bundle say that go mod vendor leaves plain.go out.
func ignore(w *world) {
	edit := w.edit
	w.edit = func(p *bundles.Payload) {
		edit(p)
		described(p, plain).Vendor.Ignored = []string{"plain.go"}
	}
}

func linkTo(w *world, to, name string) {
	if err := os.Symlink(to, name); err != nil {
		w.Fatal(err)
	}
}

// Property: with a bundle without listings, or a folder that is not what go.mod
// asks for, nothing is checked, and that is no report.
func TestVendorRefused(t *testing.T) {
	tests := map[string]func(w *world){
		"without --no-listings": func(w *world) { w.listings = false },
		"does not fit go.mod":   func(w *world) { replaceIn(w, w.path("project/vendor/modules.txt"), plain+" v1.0.0", plain+" v1.0.1") },
		"symbolic link": func(w *world) {
			if err := os.Rename(w.path("project/vendor"), w.path("elsewhere")); err != nil {
				w.Fatal(err)
			}
			linkTo(w, w.path("elsewhere"), w.path("project/vendor"))
		},
		"pass --mod=readonly": func(w *world) { w.request.Zips = w.dir },
		"line 1: ":            func(w *world) { replaceIn(w, w.path("project/vendor/modules.txt"), "# "+upper, "#  "+upper) },
	}
	for want, lie := range tests {
		w := newWorld(t)
		vendored(w)
		lie(w)
		r, err := w.try(context.Background())
		if err != nil && want == "pass --mod=readonly" && strings.Contains(err.Error(), "a build from vendor/ is not supported") {
			continue
		}
		if r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want an error with %q", r, err, want)
		}
	}
}
