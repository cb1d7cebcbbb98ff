package gate

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copyCache copies the files of the site's modules out of the module cache, so that they can be changed.
func (s *site) copyCache() string {
	s.Helper()
	to := s.TempDir()
	for _, m := range s.modules {
		for _, ext := range []string{".zip", ".mod", ".info", ".ziphash"} {
			from := downloaded(shared.modcache, m, ext)
			s.write(s.moved(from, to), string(s.read(from)))
		}
		err := filepath.WalkDir(treeDir(shared.modcache, m), func(from string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				s.write(s.moved(from, to), string(s.read(from)))
			}
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
	}
	return to
}

// moved is the name of a file of the module cache in another one.
func (s *site) moved(name, to string) string {
	s.Helper()
	rel, err := filepath.Rel(shared.modcache, name)
	if err != nil {
		s.Fatal(err)
	}
	return filepath.Join(to, rel)
}

// victim is the module whose files are changed.
type victim struct {
	*site
	zip, mod, tree string
	license        string // a file in the tree
}

// flipByte changes one bit in the middle of a file.
func (s *site) flipByte(name string) {
	s.Helper()
	data := s.read(name)
	data[len(data)/2] ^= 1
	s.write(name, string(data))
}

// flipZipped changes one bit of a file in the zip, compressed as it is.
func (v *victim) flipZipped() {
	v.Helper()
	data := v.read(v.zip)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		v.Fatal(err)
	}
	for _, f := range r.File {
		if strings.HasSuffix(f.Name, "/version.go") {
			at, err := f.DataOffset()
			if err != nil {
				v.Fatal(err)
			}
			data[at+int64(f.CompressedSize64/2)] ^= 1
			v.write(v.zip, string(data))
			return
		}
	}
	v.Fatal("no version.go in the zip")
}

// rezip packs the zip again, in another way and with more at the end of a file.
func (v *victim) rezip(more string) {
	v.Helper()
	data := v.read(v.zip)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		v.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		content, err := fs.ReadFile(r, f.Name)
		if err != nil {
			v.Fatal(err)
		}
		if strings.HasSuffix(f.Name, "/version.go") {
			content = append(content, more...)
		}
		to, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err == nil {
			_, err = to.Write(content)
		}
		if err != nil {
			v.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		v.Fatal(err)
	}
	v.write(v.zip, out.String())
}

func (s *site) remove(names ...string) {
	s.Helper()
	for _, name := range names {
		if err := os.RemoveAll(name); err != nil {
			s.Fatal(err)
		}
	}
}

// link puts a symbolic link to a file in its place, so that its content stays what it was.
func (s *site) link(name string) {
	s.Helper()
	elsewhere := filepath.Join(s.TempDir(), "elsewhere")
	if err := errors.Join(os.Rename(name, elsewhere), os.Symlink(elsewhere, name)); err != nil {
		s.Fatal(err)
	}
}

// tamperings are what is done to a copy of the module cache, and the verdict on the module that it is done to.
var tamperings = []struct {
	name   string
	do     func(v *victim)
	status string
	says   []string // words of the reason
	differ string   // what is said of the files: "kind file"
}{
	{"nothing", func(*victim) {}, "verified", nil, ""},
	{"a byte in the tree", func(v *victim) { v.flipByte(v.license) }, "mismatch", []string{"content differs", "on disk: "}, "changed LICENSE.txt"},
	{"a file too many in the tree", func(v *victim) { v.write(filepath.Join(v.tree, "evil.go"), "package semver\n") }, "mismatch", []string{"content differs"}, "extra evil.go"},
	{"a file too few in the tree", func(v *victim) { v.remove(v.license) }, "mismatch", []string{"content differs"}, "missing LICENSE.txt"},
	{"a symbolic link in the tree", func(v *victim) { v.link(v.license) }, "mismatch", []string{"LICENSE.txt", "symbolic link"}, ""},
	{"the tree is a symbolic link", func(v *victim) { v.link(v.tree) }, "mismatch", []string{"symbolic link"}, ""},
	{"a byte of a file in the zip", func(v *victim) { v.flipZipped() }, "mismatch", []string{"version.go"}, ""},
	{"a file in the zip", func(v *victim) { v.rezip("// evil\n") }, "mismatch", []string{"the zip holds other content than the unpacked tree, which is proven"}, "changed version.go"},
	// It is the content that counts, not how it is packed.
	{"how the zip is packed", func(v *victim) { v.rezip("") }, "verified", nil, ""},
	{"the zip is a symbolic link", func(v *victim) { v.link(v.zip) }, "mismatch", []string{"symbolic link"}, ""},
	{"a byte of a file in the zip, no tree", func(v *victim) { v.flipZipped(); v.remove(v.tree) }, "mismatch", []string{"version.go"}, ""},
	{"a file in the zip, no tree", func(v *victim) { v.rezip("// evil\n"); v.remove(v.tree) }, "mismatch", []string{"content differs"}, "changed version.go"},
	{"how the zip is packed, no tree", func(v *victim) { v.rezip(""); v.remove(v.tree) }, "verified", nil, ""},
	{"another zip, no tree", func(v *victim) {
		v.write(v.zip, string(v.read(zipFile(shared.modcache, v.modules[1]))))
		v.remove(v.tree)
	}, "mismatch", []string{"content is not that of a module"}, ""},
	{"go.mod beside the zip", func(v *victim) {
		v.write(v.mod, "module github.com/Masterminds/semver\n\nrequire example.com/evil v1.0.0\n")
	}, "mismatch", []string{"go.mod differs from the log", "logged: "}, ""},
	{"go.mod beside the zip is a symbolic link", func(v *victim) { v.link(v.mod) }, "mismatch", []string{"symbolic link"}, ""},
	{"no tree", func(v *victim) { v.remove(v.tree) }, "verified", nil, ""},
	{"no zip", func(v *victim) { v.remove(v.zip) }, "verified", nil, ""},
	{"neither", func(v *victim) { v.remove(v.zip, v.tree) }, "not-on-disk", []string{"neither its zip nor its unpacked tree"}, ""},
	// The go command unpacks such a tree again.
	{"a byte in a half unpacked tree", func(v *victim) {
		v.flipByte(v.license)
		v.write(strings.TrimSuffix(v.zip, ".zip")+".partial", "")
	}, "verified", nil, ""},
}

// Whatever is changed in a module cache is noticed, and whose word it is that it contradicts makes no difference. Other
// modules pass.
func TestTampered(t *testing.T) {
	t.Parallel()
	const target, bystander = "github.com/Masterminds/semver@v1.5.0", "github.com/pkg/errors@v0.9.0"
	base := newSite(t, target, bystander)
	base.setenv("GOSUMDB", "sum.golang.org")
	base.attest("signer")
	base.snapshot(0, "--require", "all", "--key", "signer.pub")
	for _, c := range tamperings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := *base
			s.T = t
			copied := s.copyCache()
			v := &victim{site: &s, zip: zipFile(copied, target), mod: modFile(copied, target), tree: treeDir(copied, target)}
			v.license = filepath.Join(v.tree, "LICENSE.txt")
			c.do(v)
			code := 1
			if c.status == "verified" {
				code = 0
			}
			for _, policy := range [][]string{signedBy("signer"), {"--require", "sumdb"}, {"--key", "signer.pub"}, {"--key", "signer.pub", "--hash-zips"}} {
				r := s.verify(code, append(policy, "--modcache", copied)...)
				m := s.status(r, target, c.status, c.says...)
				s.status(r, bystander, "verified")
				if c.differ != "" && !slices.ContainsFunc(m.Differences, func(d difference) bool { return d.Kind+" "+d.File == c.differ }) {
					t.Errorf("%q: differences %+v, want %q", policy, m.Differences, c.differ)
				}
				if code != 0 && m.Hint == "" {
					t.Errorf("%q: no hint", policy)
				}
			}
		})
	}
}

// Zips alone are enough: in a folder, or laid out as a module proxy serves them.
func TestZips(t *testing.T) {
	t.Parallel()
	const target, bystander = "github.com/Masterminds/semver@v1.4.2", "github.com/pkg/errors@v0.8.0"
	s := newSite(t, target, bystander)
	s.attest("signer")
	s.snapshot(0, signedBy("signer")...)

	proxy := filepath.Join(s.copyCache(), "cache", "download")
	s.allVerified(s.verify(0, append(signedBy("signer"), "--zips", proxy)...))

	flat := t.TempDir()
	for i, m := range s.modules {
		s.write(filepath.Join(flat, string(rune('a'+i))+".zip"), string(s.read(zipFile(shared.modcache, m))))
	}
	s.allVerified(s.verify(0, append(signedBy("signer"), "--zips", flat)...))

	s.remove(filepath.Join(flat, "b.zip"))
	r := s.verify(1, append(signedBy("signer"), "--zips", flat)...)
	s.status(r, target, "verified")
	s.status(r, bystander, "not-on-disk")

	s.write(filepath.Join(flat, "b.zip"), string(s.read(zipFile(shared.modcache, bystander))))
	s.flipByte(filepath.Join(flat, "b.zip"))
	r = s.verify(1, append(signedBy("signer"), "--zips", flat)...)
	s.status(r, target, "verified")
	s.status(r, bystander, "mismatch")
}

// A line of go.sum that contradicts what is proven is a mismatch, whether it is of the content or of go.mod alone.
func TestAlteredGoSum(t *testing.T) {
	t.Parallel()
	const target, bystander = "golang.org/x/sync@v0.9.0", "github.com/pkg/errors@v0.7.1"
	s := newSite(t, target, bystander)
	s.attest("signer")
	s.snapshot(0, signedBy("signer")...)
	name := filepath.Join(s.home, "project", "go.sum")
	whole := string(s.read(name))
	for i, line := range strings.SplitAfter(strings.TrimSpace(shared.sums[target]), "\n") {
		f := strings.Fields(line)
		altered := flip(f[2], len(f[2])/2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		s.write(name, strings.Replace(whole, f[2], altered, 1))
		r := s.verify(1, signedBy("signer")...)
		s.status(r, target, "mismatch", "go.sum contradicts the log", altered, f[2], []string{"(content)", "(go.mod)"}[i])
		s.status(r, bystander, "verified")
	}
	s.write(name, whole)
	s.allVerified(s.verify(0, signedBy("signer")...))
}
