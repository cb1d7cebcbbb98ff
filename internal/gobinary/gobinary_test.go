package gobinary_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/gobinary"
	"github.com/modseal/modseal/internal/limit"
)

const h1 = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

// blob is the build info as the linker leaves it, in the form since Go 1.18
// (debug/buildinfo).
func blob(text string) []byte {
	b := append([]byte("\xff Go buildinf:"), 8, 2)
	b = append(b, make([]byte, 16)...)
	for _, s := range []string{"go1.26.8", "0w\xaf\f\x92t\b\x02A\xe1\xc1\a\xe6\xd6\x18\xe6" + text + "\xf92C1\x86\x18 r\x00\x82B\x10A\x16\xd8\xf2"} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// elf is a file with nothing but a writable segment.
func elf(data []byte) []byte {
	le := binary.LittleEndian
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	b = le.AppendUint16(b, 2)  // executable
	b = le.AppendUint16(b, 62) // amd64
	b = le.AppendUint32(b, 1)
	for _, v := range []uint64{0, 64, 0} { // entry, program headers, section headers
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 64, 0, 0} { // sizes and numbers of headers
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, 1) // PT_LOAD
	b = le.AppendUint32(b, 6) // read, write
	for _, v := range []uint64{128, 4096, 4096, uint64(len(data)), uint64(len(data)), 4096} {
		b = le.AppendUint64(b, v)
	}
	return append(append(b, make([]byte, 128-len(b))...), data...)
}

// macho is the same for darwin.
func macho(data []byte) []byte {
	le := binary.LittleEndian
	var b []byte
	for _, v := range []uint32{0xfeedfacf, 0x01000007, 3, 2, 1, 72, 0, 0, 0x19, 72} {
		b = le.AppendUint32(b, v)
	}
	b = append(b, "__DATA\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, v := range []uint64{4096, uint64(len(data)), 128, uint64(len(data))} {
		b = le.AppendUint64(b, v)
	}
	for _, v := range []uint32{3, 3, 0, 0} {
		b = le.AppendUint32(b, v)
	}
	return append(append(b, make([]byte, 128-len(b))...), data...)
}

// universal is a file of one architecture in the frame of several.
func universal(file []byte) []byte {
	var b []byte
	for _, v := range []uint32{0xcafebabe, 1, 0x01000007, 3, 4096, uint32(len(file)), 12} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return append(append(b, make([]byte, 4096-len(b))...), file...)
}

func read(file []byte) (*gobinary.Binary, error) {
	return gobinary.Read("app", bytes.NewReader(file), int64(len(file)))
}

// Property: what was used is read, after replace; a module without a version is
// local; the main module is one of the modules only with a hash.
func TestRead(t *testing.T) {
	head := "path\texample.com/app\nmod\texample.com/app\tv1.2.3"
	for _, c := range []struct{ name, text, want string }{
		{"a dependency", head + "\t\ndep\texample.com/m\tv1.0.0\t" + h1 + "\n", "[example.com/m@v1.0.0 true @ \"\" false]"},
		{"without a hash", head + "\t\ndep\texample.com/m\tv1.0.0\t\n", "[example.com/m@v1.0.0 false @ \"\" false]"},
		{"main with a hash", head + "\t" + h1 + "\n", "[example.com/app@v1.2.3 true @ \"\" false]"},
		{"replaced", head + "\t\ndep\texample.com/m\tv1.0.0\n=>\texample.com/fork\tv1.1.0\t" + h1 + "\n", "[example.com/fork@v1.1.0 true example.com/m@v1.0.0 \"\" false]"},
		{"by a directory", head + "\t\ndep\texample.com/m\tv1.0.0\n=>\t./m/sub/\t(devel)\t\n", "[example.com/m@ false example.com/m@v1.0.0 \"./m/sub/\" true]"},
		{"by a directory on Windows", head + "\t\ndep\texample.com/m\tv1.0.0\n=>\t.\\m\t(devel)\t\n", "[example.com/m@ false example.com/m@v1.0.0 \".\\\\m\" true]"},
		{"by one outside", head + "\t\ndep\texample.com/m\tv1.0.0\n=>\t../m\t(devel)\t\n", "[example.com/m@ false example.com/m@v1.0.0 \"../m\" false]"},
		{"by one outside, round about", head + "\t\ndep\texample.com/m\tv1.0.0\n=>\t./a/../../m\t(devel)\t\n", "[example.com/m@ false example.com/m@v1.0.0 \"./a/../../m\" false]"},
		{"by an absolute one", head + "\t\ndep\texample.com/m\tv1.0.0\n=>\t/m\t(devel)\t\n", "[example.com/m@ false example.com/m@v1.0.0 \"/m\" false]"},
		{"of a workspace", head + "\t\ndep\texample.com/m\t(devel)\t\n", "[example.com/m@ false @ \"\" false]"},
	} {
		for format, file := range map[string]func([]byte) []byte{"elf": elf, "macho": macho} {
			b, err := read(file(blob(c.text)))
			if err != nil {
				t.Errorf("%s, %s: %v", c.name, format, err)
				continue
			}
			var got []string
			for _, m := range b.Modules {
				got = append(got, fmt.Sprintf("%s@%s %t %s@%s %q %t", m.Path, m.Version.Version, m.Sum.String() == h1, m.Replaces.Path, m.Replaces.Version, m.Dir, m.InTree()))
			}
			if fmt.Sprint(got) != c.want || b.Go != "go1.26.8" || b.Package != "example.com/app" || b.Main != "example.com/app@v1.2.3" || len(b.SHA256) != 64 {
				t.Errorf("%s, %s: %s of %+v, want %s", c.name, format, got, b, c.want)
			}
		}
	}
}

// Property: what is no Go binary, names nothing to prove, or has other than
// modules where modules should be, is an error, which shows no hostile text as it
// is.
func TestRefused(t *testing.T) {
	dep := func(s string) []byte { return elf(blob("path\tp\ndep\t" + s + "\n")) }
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "not a Go binary"},
		{"text", []byte("#!/bin/sh\necho hello\n"), "not a Go binary"},
		{"cut", elf(blob("path\tp\n"))[:130], "not a Go binary"},
		{"no build info", elf(make([]byte, 100)), "not a Go binary"},
		{"universal", universal(macho(blob("path\tp\ndep\texample.com/m\tv1.0.0\t" + h1 + "\n"))), "a universal binary"},
		{"no modules", elf(blob("path\tp\nmod\texample.com/app\tv1.0.0\t\n")), "nothing to prove"},
		{"no such version", dep("example.com/m\tv1\t" + h1), "is not a module version"},
		{"no such path", dep("m\x1b[2J\tv1.0.0\t" + h1), `"m\x1b[2J@v1.0.0" is not a module version`},
		{"no such local path", dep("m\x1b[2J\t(devel)\t"), `"m\x1b[2J" is not a module`},
		{"no h1", dep("example.com/m\tv1.0.0\th1:abc"), "is not an h1"},
		{"an h1 of zeros", dep("example.com/m\tv1.0.0\th1:" + strings.Repeat("A", 43) + "="), "an h1 of zeros"},
		{"a directory with a hash", dep("example.com/m\tv1.0.0\n=>\t./m\t(devel)\t" + h1), "is not a module version"},
	} {
		b, err := read(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %+v, %v, want %q", c.name, b, err, c.want)
		}
	}
	if _, err := read(elf(blob("path\tp\n"))); !errors.Is(err, gobinary.ErrNoModules) {
		t.Errorf("no modules at all: %v", err)
	}
}

// Property: the limits hold at the limit and not one over.
func TestLimits(t *testing.T) {
	deps := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "dep\texample.com/m%d\tv1.0.0\t\n", i)
		}
		return elf(blob("path\tp\n" + b.String()))
	}
	if b, err := read(deps(gobinary.MaxModules)); err != nil || len(b.Modules) != gobinary.MaxModules {
		t.Errorf("modules at the limit: %v", err)
	}
	if _, err := read(deps(gobinary.MaxModules + 1)); !errors.Is(err, limit.ErrExceeded) {
		t.Errorf("one module more: %v", err)
	}
	one := elf(blob("path\tp\ndep\texample.com/m\tv1.0.0\t\n"))
	if _, err := gobinary.Read("app", bytes.NewReader(one), gobinary.MaxSize); err != nil {
		t.Errorf("size at the limit: %v", err)
	}
	if _, err := gobinary.Read("app", bytes.NewReader(one), gobinary.MaxSize+1); !errors.Is(err, limit.ErrExceeded) {
		t.Errorf("one byte more: %v", err)
	}
	// a data segment in which the build info comes after what may be read
	if _, err := read(elf(append(make([]byte, gobinary.MaxRead), blob("path\tp\n")...))); !errors.Is(err, limit.ErrExceeded) {
		t.Errorf("build info behind the limit: %v", err)
	}
	if _, err := read(elf(append(make([]byte, gobinary.MaxRead-2<<20), one[128:]...))); err != nil {
		t.Errorf("build info before the limit: %v", err)
	}
}

// panics is a file whose reading panics, as the packages below debug/ may.
type panics struct{}

func (panics) ReadAt(p []byte, _ int64) (int, error) {
	if len(p) == 4 {
		return copy(p, "\x7fELF"), nil
	}
	panic("index out of range")
}

// Property: a panic in reading a damaged file is an error.
func TestPanic(t *testing.T) {
	if b, err := gobinary.Read("app", panics{}, 100); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%+v, %v", b, err)
	}
}

// Property: no file makes Read panic, and what it accepts are modules, with
// hashes as they are written.
func FuzzRead(f *testing.F) {
	text := "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\texample.com/m\tv1.0.0\t" + h1 + "\ndep\texample.com/n\tv1.0.0\n=>\t./n\t(devel)\t\n"
	for _, file := range [][]byte{elf(blob(text)), macho(blob(text)), []byte("MZ"), elf(nil), []byte("\xca\xfe\xba\xbe\x00\x00\x00\x01")} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := read(file)
		if err != nil {
			return
		}
		if len(b.Modules) == 0 {
			t.Error("no modules")
		}
		for _, m := range b.Modules {
			if m.Path == "" || m.Local() && m.Sum.String() == h1 {
				t.Errorf("%+v", m)
			}
		}
	})
}
