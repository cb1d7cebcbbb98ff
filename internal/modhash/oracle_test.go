package modhash_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"github.com/modseal/modseal/internal/modhash"
)

// For modules made up at random, zip and tree have the h1 that dirhash computes, and the go command accepts the zip.
func TestRandomModules(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := modhash.New(modhash.Options{})
	for range 12 {
		c := randomModule(rng)
		dir := c.writeTree(t)
		zipPath := filepath.Join(t.TempDir(), "m.zip")
		f, err := os.Create(zipPath)
		if err != nil {
			t.Fatal(err)
		}
		if err := modzip.CreateFromDir(f, m, dir); err != nil {
			t.Fatal(err)
		}
		f.Close()
		z, err := h.Zip(t.Context(), zipPath, m)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := h.Tree(t.Context(), dir, m)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, zipPath, dir, m, z, tree)
	}
}

func randomModule(rng *rand.Rand) content {
	const letters = "abcABC012.-_ +é~世"
	runes := []rune(letters)
	name := func() string {
		var s strings.Builder
		s.WriteByte('x')
		for range rng.IntN(12) {
			s.WriteRune(runes[rng.IntN(len(runes))])
		}
		s.WriteByte('x')
		return s.String()
	}
	c := content{"go.mod": "module example.com/m\n"}
	folded := map[string]bool{}
	for range 1 + rng.IntN(60) {
		path := fmt.Sprintf("f%d/%s", rng.IntN(5), name()) // no file has the name of a folder
		for range rng.IntN(4) {
			path = fmt.Sprintf("d%d/%s", rng.IntN(3), path)
		}
		if key := strings.ToLower(path); !folded[key] {
			folded[key] = true
			c[path] = strings.Repeat("x", rng.IntN(3)*rng.IntN(100000))
		}
	}
	return c
}

// agree checks the results for a zip and its unpacked tree against dirhash.
func agree(t *testing.T, zipPath, dir string, mod module.Version, z *modhash.ZipResult, tree *modhash.TreeResult) {
	t.Helper()
	fromZip, err1 := dirhash.HashZip(zipPath, dirhash.Hash1)
	fromDir, err2 := dirhash.HashDir(dir, mod.String(), dirhash.Hash1)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if got := z.Listing.H1().String(); got != fromZip {
		t.Errorf("%v: h1 of the zip is %s, HashZip says %s", mod, got, fromZip)
	}
	if got := tree.Listing.H1().String(); got != fromDir {
		t.Errorf("%v: h1 of the tree is %s, HashDir says %s", mod, got, fromDir)
	}
	names, err := dirhash.DirFiles(dir, mod.String())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var ours []string
	for f := range tree.Listing.Files() {
		ours = append(ours, mod.String()+"/"+f.Name)
	}
	if !slices.Equal(ours, names) {
		t.Errorf("%v: files are %q, DirFiles says %q", mod, ours, names)
	}
	if l, err := modhash.ParseListing(z.Listing.Bytes()); err != nil || l.H1() != z.Listing.H1() {
		t.Errorf("%v: the listing does not parse: %v", mod, err)
	}
}

// realModules returns at least n modules of the machine's module cache, the ones with the smallest zips first.
func realModules(t *testing.T, n int) []cached {
	t.Helper()
	mods := moduleCache()
	if len(mods) < n {
		t.Skipf("NOT TESTED against real modules: the module cache has %d, want %d", len(mods), n)
	}
	slices.SortFunc(mods, func(a, b cached) int { return int(a.zipSize - b.zipSize) })
	return mods
}

// Real modules have the h1 that dirhash computes, and the go command accepts their zips as we do.
func TestRealModules(t *testing.T) {
	const count = 40
	mods := realModules(t, count)
	h := modhash.New(modhash.Options{})
	for i := range count {
		mod := mods[i*len(mods)*9/10/count] // of all sizes but the largest
		z, err := h.Zip(t.Context(), mod.zip, mod.Version)
		if err != nil {
			t.Errorf("%v: %v", mod.Version, err)
			continue
		}
		tree, err := h.Tree(t.Context(), mod.dir, mod.Version)
		if err != nil {
			t.Errorf("%v: %v", mod.Version, err)
			continue
		}
		agree(t, mod.zip, mod.dir, mod.Version, z, tree)
		if changes := modhash.Diff(z.Listing, tree.Listing); len(changes) > 0 {
			t.Errorf("%v: %v", mod.Version, changes)
		}
		if _, err := modzip.CheckZip(mod.Version, mod.zip); err != nil {
			t.Errorf("%v: CheckZip: %v", mod.Version, err)
		}
	}
}

// Known answers: what go.sum says of modules that are in the module cache, of their zips, trees and go.mod files.
func TestGoSum(t *testing.T) {
	sums := goSum(t)
	var found []cached
	for _, mod := range realModules(t, 1) {
		if sums[mod.String()] != "" && len(found) < 30 {
			found = append(found, mod)
		}
	}
	if len(found) == 0 {
		t.Skip("NOT TESTED against go.sum: none of its modules is in the module cache")
	}
	h := modhash.New(modhash.Options{})
	for _, mod := range found {
		want, err := modhash.ParseH1(sums[mod.String()])
		if err != nil {
			t.Fatal(err)
		}
		tree, err := h.Tree(t.Context(), mod.dir, mod.Version)
		if err != nil || tree.Listing.H1() != want {
			t.Errorf("%v: tree does not have %v: %v", mod.Version, want, err)
		}
		z, err := h.Zip(t.Context(), mod.zip, mod.Version)
		if err != nil || z.Listing.H1() != want {
			t.Errorf("%v: zip does not have %v: %v", mod.Version, want, err)
			continue
		}
		data, err := os.ReadFile(strings.TrimSuffix(mod.zip, ".zip") + ".mod")
		if goMod := sums[mod.String()+"/go.mod"]; err == nil && goMod != "" && modhash.GoModH1(data).String() != goMod {
			t.Errorf("%v: go.mod has %v, want %s", mod.Version, modhash.GoModH1(data), goMod)
		}
	}
}

// goSum returns the lines of this module's own go.sum.
func goSum(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sums := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) == 3 {
			sums[fields[0]+"@"+fields[1]] = fields[2]
		}
	}
	return sums
}

// Memory is bounded however many modules there are: 64 MiB for any set.
func TestMemory(t *testing.T) {
	c := wide()
	dir, zipPath := c.writeTree(t), writeZip(t, zipOf(t, append(c.entries(), one("large", strings.Repeat("x", 40<<20)))...))
	before := heap()
	var most atomic.Uint64
	h := modhash.New(modhash.Options{Workers: 4, Progress: func(int64) {
		n := heap()
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
	}})
	err := h.Each(t.Context(), 40, func(ctx context.Context, i int) error {
		if i%20 == 0 {
			if _, err := h.Zip(ctx, zipPath, m); err != nil {
				return err
			}
		}
		_, err := h.Tree(ctx, dir, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := most.Load() - min(before, most.Load()); n > 64<<20 {
		t.Errorf("%d bytes were in use", n)
	}
}

func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// FuzzZip: whatever bytes a zip has, what is accepted is accepted by the go command too, and hashes to what dirhash and
// SHA-256 say; what is refused is refused with a reason.
func FuzzZip(f *testing.F) {
	f.Add(with(f))
	f.Add(zipOf(f, one("go.mod", "module example.com/m\n")))
	f.Add(zipOf(f, one("a", "x"), one("a", "y")))
	f.Add(zipOf(f, one("a", ""), one("A", "")))
	f.Add(zipOf(f, one("a/", ""), one("a/b", "x")))
	f.Add(zipOf(f, one("../a", ""), entry{name: "b"}))
	f.Add(rawZip(stored(prefix+"a", "x"), stored(prefix+"b/c", "")))
	wide := stored(prefix+"a", "x")
	wide.zip64 = true
	f.Add(rawZip(wide))
	f.Add(withZip64End(rawZip(wide), 1))
	f.Add(append([]byte("#!"), append(zipOf(f, one("m.go", "package m\n")), "trailer"...)...))
	f.Add(zipOf(f, entry{name: "/etc/evil", body: "x"}, entry{name: prefix + "a/../../b", body: "x"}, one("con", "")))
	f.Add(zipOf(f, one("a/B.go", "x"), one("A/b.go", "x")))
	f.Add(zipOf(f, one("bomb", strings.Repeat("x", 1<<20))))
	linked := zipOf(f, one("a", "b"))
	at := bytes.Index(linked, []byte("PK\x01\x02"))
	copy(linked[at+5:], "\x03")              // made by Unix
	copy(linked[at+38:], "\x00\x00\xff\xa1") // a symbolic link
	f.Add(linked)
	for _, size := range []int{20, 24} { // compressed or not, which lies
		lying := zipOf(f, one("a", strings.Repeat("x", 1000)))
		copy(lying[bytes.Index(lying, []byte("PK\x01\x02"))+size:], "\xfe\xff\xff\x7f")
		f.Add(lying)
	}
	h := modhash.New(modhash.Options{})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "m.zip")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := h.Zip(t.Context(), path, m)
		if err != nil {
			problemsOf(t, err)
			return
		}
		if _, err := modzip.CheckZip(m, path); err != nil {
			t.Fatalf("accepted, but CheckZip: %v", err)
		}
		if want, err := dirhash.HashZip(path, dirhash.Hash1); err != nil || got.Listing.H1().String() != want {
			t.Fatalf("h1 is %v, HashZip says %v, %v", got.Listing.H1(), want, err)
		}
		if got.Digest != sha256.Sum256(data) || got.Size != int64(len(data)) {
			t.Fatalf("digest is %v of %d bytes", got.Digest, got.Size)
		}
		if l, err := modhash.ParseListing(got.Listing.Bytes()); err != nil || l.H1() != got.Listing.H1() {
			t.Fatalf("its listing does not parse: %v", err)
		}
	})
}

// FuzzParseListing: whatever is accepted is encoded as the same bytes, has names that dirhash would accept in the order
// in which it would hash them, and no name twice.
func FuzzParseListing(f *testing.F) {
	a, b := line("a", prefix+"a.go"), line("b", prefix+"b/c.go")
	for _, s := range []string{"", "\n", a, a + b, b + a, a + a, a[:len(a)-1], strings.ToUpper(a),
		a + line("", "example.com/n@v1.0.0/x"), line("", "gopkg.in/yaml.v3@v3.0.1/é"), line("", prefix+"../a")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := modhash.ParseListing(data)
		if err != nil {
			return
		}
		if string(l.Bytes()) != string(data) {
			t.Fatalf("%q is encoded as %q", data, l.Bytes())
		}
		var text strings.Builder
		for file := range l.Files() {
			fmt.Fprintf(&text, "%x  %v/%s\n", file.SHA256, l.Module(), file.Name)
		}
		if text.String() != string(data) {
			t.Fatalf("%q has the files of %q", data, text.String())
		}
		var names []string
		for file := range l.Files() {
			names = append(names, file.Name)
		}
		if !slices.IsSorted(names) || len(slices.Compact(names)) != l.Len() {
			t.Fatalf("names are %q", names)
		}
		empty := func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
		if _, err := dirhash.Hash1(names, empty); err != nil {
			t.Fatal(err)
		}
	})
}

// Property: a zip that is cut anywhere is refused; a listing that is cut is refused, but at
// the end of a line, where it is the listing of fewer files, with another h1.
func TestTruncatedAnywhere(t *testing.T) {
	whole := zipOf(t, one("go.mod", "module example.com/m\n"), one("a/b.go", "package a\n"))
	h := modhash.New(modhash.Options{})
	path := filepath.Join(t.TempDir(), "m.zip")
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		if r, err := h.Zip(t.Context(), path, m); r != nil || err == nil {
			t.Fatalf("zip cut at %d of %d: accepted", n, len(whole))
		}
	}
	list := line("a", prefix+"a.go") + line("b", prefix+"b/c.go") + line("c", prefix+"d.go")
	all, err := modhash.ParseListing([]byte(list))
	if err != nil {
		t.Fatal(err)
	}
	for n := range list {
		l, err := modhash.ParseListing([]byte(list[:n]))
		if lines := n > 0 && list[n-1] == '\n'; lines != (err == nil) {
			t.Fatalf("listing cut at %d of %d: %v", n, len(list), err)
		}
		if err == nil && l.H1() == all.H1() {
			t.Fatalf("listing cut at %d has the same h1", n)
		}
	}
}
