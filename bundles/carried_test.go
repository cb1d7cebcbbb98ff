package bundles_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
)

// carrying is sample with the files of its modules, one of which has an
// upper-case path, and one no zip: of that go.mod alone is read.
func carrying(t testing.TB) (*bundles.Payload, map[string]string) {
	t.Helper()
	p := sample(true)
	p.Manifest.Modules[1].Path = "example.com/M2"
	p.Manifest.Modules[4].Zip = ""
	p.Manifest.Sort()
	content := map[string]string{}
	add := func(data string) bundles.Content {
		content[hexOf(data)] = data
		return bundles.Content{Size: int64(len(data)), SHA256: hexOf(data)}
	}
	for i := range p.Manifest.Modules {
		m := &p.Manifest.Modules[i]
		info, err := bundles.EncodeInfo(m.Version, time.Date(2026, 1, 2, 3, 4, 5-i, 0, time.FixedZone("", 3600*i)))
		if err != nil {
			t.Fatal(err)
		}
		m.Carried = &bundles.Carried{Info: add(string(info)), Mod: add("module " + m.Path + "\n")}
		if m.Zip != "" {
			zip := add("zip of " + m.Path)
			m.Zip, m.Carried.Zip = zip.SHA256, zip.Size
		}
	}
	p.Carry = func(f bundles.CarriedFile) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content[f.SHA256])), nil
	}
	return p, content
}

// Property: the module files come out as they went in, under the names that
// follow from path and version, and after them nothing.
func TestCarriedRoundTrip(t *testing.T) {
	p, content := carrying(t)
	payload := write(t, p)
	if !bytes.Equal(payload, write(t, p)) {
		t.Error("two payloads of equal inputs differ")
	}
	b, err := open(framed(t, payload))
	if err != nil || !b.Manifest.CarriesModules() {
		t.Fatal(err)
	}
	var names []string
	err = b.Carried(func(f bundles.CarriedFile, r io.Reader) error {
		data, err := io.ReadAll(r)
		if string(data) != content[f.SHA256] || int64(len(data)) != f.Size {
			t.Errorf("%s reads as %q", f.Name, data)
		}
		names = append(names, f.Name)
		return err
	})
	if want := 5*2 + 4; err != nil || len(names) != want || names[0] != "cache/download/example.com/!m2/@v/v1.0.0.info" {
		t.Errorf("%q, %v", names, err)
	}
	files := unpack(t, payload)
	for i, f := range files[len(files)-len(names):] {
		if f.name != names[i] {
			t.Errorf("%s in the archive, %s in the bundle", f.name, names[i])
		}
	}
	if err := b.Carried(func(bundles.CarriedFile, io.Reader) error { return nil }); err != nil {
		t.Errorf("unread: %v", err)
	}
	enough := errors.New("enough")
	if err := b.Carried(func(bundles.CarriedFile, io.Reader) error { return enough }); err != enough {
		t.Errorf("%v, want the caller's own error", err)
	}
	n := 0
	if err := b.Listings(nil, func(string, []byte) error { n++; return nil }); err != nil || n != 5 {
		t.Errorf("%d listings, %v", n, err)
	}
}

// Property: a file that is not the manifest's, in content, size, place or name,
// is refused, and so is a manifest of which anything is left to interpretation.
func TestCarriedLies(t *testing.T) {
	p, _ := carrying(t)
	files := unpack(t, write(t, p))
	first := slices.IndexFunc(files, func(f file) bool { return strings.HasPrefix(f.name, "cache/") }) // .info, .mod, .zip
	rename := func(to string) func([]file) []file {
		return func(f []file) []file { f[first+2].name = to; return f }
	}
	manifest := func(edit func(m *bundles.Module)) func([]file) []file {
		return func(f []file) []file {
			return edited(t, f, func(m *bundles.Manifest) {
				c := *m.Modules[0].Carried
				m.Modules[0].Carried = &c
				edit(&m.Modules[0])
			})
		}
	}
	info := func(data string) func([]file) []file { // sealed as it is: the digest is right
		return func(f []file) []file {
			f[first].data = []byte(data)
			return edited(t, f, func(m *bundles.Manifest) {
				m.Modules[0].Carried.Info = bundles.Content{Size: int64(len(data)), SHA256: hexOf(data)}
			})
		}
	}
	zip := files[first+2].data
	for name, lie := range map[string]func(f []file) []file{
		"nothing":           func(f []file) []file { return f }, // the control
		"the same info":     info(string(files[first].data)),    // and another
		"a byte of the zip": func(f []file) []file { f[first+2].data = []byte("Zip" + string(zip[3:])); return f },
		"a byte of go.mod":  func(f []file) []file { f[first+1].data = []byte("Module example.com/M2\n"); return f },
		"a shorter zip":     func(f []file) []file { f[first+2].data = zip[1:]; return f },
		"a longer zip":      func(f []file) []file { f[first+2].data = append(slices.Clone(zip), 'x'); return f },
		"no zip":            func(f []file) []file { return slices.Delete(f, first+2, first+3) },
		"no go.mod":         func(f []file) []file { return slices.Delete(f, first+1, first+2) },
		"another order":     func(f []file) []file { f[first], f[first+1] = f[first+1], f[first]; return f },
		"a file more":       func(f []file) []file { return append(f, file{"cache/download/example.com/x/@v/v1.0.0.mod", nil}) },
		"a file in between": func(f []file) []file {
			return slices.Insert(f, first, file{"cache/download/example.com/!m2/@v/list", nil})
		},
		"the last one twice": func(f []file) []file { return append(f, f[len(f)-1]) },
		"upwards":            rename("cache/download/../../../etc/passwd"),
		"absolute":           rename("/etc/passwd"),
		"not escaped":        rename("cache/download/example.com/M2/@v/v1.0.0.zip"),
		"escaped otherwise":  rename("cache/download/example.com/%4d2/@v/v1.0.0.zip"),
		"another module's":   rename("cache/download/example.com/m4/@v/v1.0.0.zip"),
		"another folder":     rename("cache/example.com/!m2/@v/v1.0.0.zip"),
		"the first without": func(f []file) []file {
			return edited(t, slices.Delete(f, first, first+3), func(m *bundles.Manifest) { m.Modules[0].Carried = nil })
		},
		"the last without": func(f []file) []file {
			return edited(t, f[:len(f)-2], func(m *bundles.Manifest) { m.Modules[4].Carried = nil })
		},
		"a zip of no digest": manifest(func(m *bundles.Module) { m.Zip = "" }),
		"a digest of no zip": manifest(func(m *bundles.Module) { m.Carried.Zip = 0 }),
		"size below zero":    manifest(func(m *bundles.Module) { m.Carried.Zip = -1 }),
		"another size":       manifest(func(m *bundles.Module) { m.Carried.Zip++ }),
		"go.mod below zero":  manifest(func(m *bundles.Module) { m.Carried.Mod.Size = -1 }),
		"upper-case digest":  manifest(func(m *bundles.Module) { m.Carried.Mod.SHA256 = strings.ToUpper(m.Carried.Mod.SHA256) }),
		"no digest of info":  manifest(func(m *bundles.Module) { m.Carried.Info = bundles.Content{} }),
		"path upwards":       manifest(func(m *bundles.Module) { m.Path = "example.com/../../x" }),
		"absolute path":      manifest(func(m *bundles.Module) { m.Path = "/example.com/M2" }),
		"version upwards":    manifest(func(m *bundles.Module) { m.Version = "v1.0.0/../x" }),
		"escaped in itself":  manifest(func(m *bundles.Module) { m.Path = "example.com/!m2" }),
		"a member more":      info(`{"Version":"v1.0.0","Origin":{"URL":"https://example.com"}}` + "\n"),
		"another version":    info(`{"Version":"v1.0.1"}` + "\n"),
		"a member twice":     info(`{"Version":"v1.0.0","Version":"v1.0.0"}` + "\n"),
		"another time zone":  info(`{"Version":"v1.0.0","Time":"2026-01-02T03:04:05+01:00"}` + "\n"),
		"no time":            info(`{"Version":"v1.0.0","Time":"yesterday"}` + "\n"),
		"no newline":         info(`{"Version":"v1.0.0"}`),
		"no JSON":            info("x"),
	} {
		lied := lie(slices.Clone(files))
		b, err := open(repacked(t, lied))
		if name == "nothing" || name == "the same info" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantDamaged(t, name, b, err)
	}
}

// Property: the writer refuses what the manifest does not say.
func TestCarriedWrites(t *testing.T) {
	p, _ := carrying(t)
	give := func(data string) func(bundles.CarriedFile) (io.ReadCloser, error) {
		return func(bundles.CarriedFile) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil }
	}
	gone := errors.New("gone")
	right := p.Carry
	for name, carry := range map[string]func(bundles.CarriedFile) (io.ReadCloser, error){
		"nothing": nil, "other content": give("x"), "no content": give(""),
		"an error": func(bundles.CarriedFile) (io.ReadCloser, error) { return nil, gone },
		"another zip": func(f bundles.CarriedFile) (io.ReadCloser, error) {
			if f.Kind == bundles.ZipFile {
				f.SHA256 = hexOf("zip of example.com/m0")
			}
			return right(f)
		},
		"a longer zip": func(f bundles.CarriedFile) (io.ReadCloser, error) {
			r, err := right(f)
			return io.NopCloser(io.MultiReader(r, strings.NewReader(f.Kind))), err
		},
	} {
		p.Carry = carry
		if err := bundles.WritePayload(io.Discard, p); err == nil {
			t.Errorf("%s: was written", name)
		}
	}
}

// Property: the limits of module files are those of docs/format.md, Section 8,
// are accepted, and refused with one more.
func TestCarriedLimits(t *testing.T) {
	if bundles.MaxInfo != 4<<10 || bundles.MaxGoMod != 16<<20 || bundles.MaxZip != 500<<20 || bundles.MaxCarried != 8<<30 {
		t.Error("the format says otherwise")
	}
	p, _ := carrying(t)
	longest, all := map[string]int64{}, int64(0)
	for f := range p.Manifest.CarriedFiles() {
		longest[f.Kind] = max(longest[f.Kind], f.Size)
		all += f.Size
	}
	atLimits(t, p, map[string]int64{"info": longest[".info"], "goMod": longest[".mod"], "zip": longest[".zip"], "carried": all})
}

// Property: a name that ustar can't hold is refused before it is written.
func TestCarriedNames(t *testing.T) {
	p, _ := carrying(t)
	for part, ok := range map[string]bool{strings.Repeat("a", 100): true, strings.Repeat("a", 300): false} {
		p.Manifest.Modules[0].Path = "example.com/M/" + part
		p.Manifest.Sort()
		if err := bundles.WritePayload(io.Discard, p); (err == nil) != ok {
			t.Errorf("a path element of %d bytes: %v", len(part), err)
		}
	}
}

// noise is as many bytes as can't be compressed, the same each time.
func noise(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{}), n) }

// Property: neither writer nor reader allocates in proportion to a zip: here all
// that they ever allocate is less than the zip has bytes.
func TestCarriedInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	const size = 96 << 20
	p, _ := carrying(t)
	m := &p.Manifest.Modules[0]
	m.Zip, m.Carried.Zip = digestOf(t, noise(size)), size
	right := p.Carry
	p.Carry = func(f bundles.CarriedFile) (io.ReadCloser, error) {
		if f.Size == size {
			return io.NopCloser(noise(size)), nil
		}
		return right(f)
	}
	name := filepath.Join(t.TempDir(), "payload")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	const most = size * 3 / 4
	if n := allocated(func() { err = bundles.WritePayload(out, p) }); err != nil || n > most {
		t.Errorf("writing: %v, %d MiB allocated", err, n>>20)
	}
	info, err := out.Stat()
	if err != nil || info.Size() < size {
		t.Fatalf("%v, %v", info.Size(), err)
	}
	frame, n, err := bundles.UnsealedFrame(out, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	used := allocated(func() {
		var b *bundles.Bundle
		if b, err = bundles.Open(frame, n, bundles.OpenOptions{InsecureIgnoreSeals: true}); err != nil {
			return
		}
		err = b.Carried(func(_ bundles.CarriedFile, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			read += n
			return err
		})
	})
	if err != nil || read < size || used > most {
		t.Errorf("reading %d bytes: %v, %d MiB allocated", read, err, used>>20)
	}
}

func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
