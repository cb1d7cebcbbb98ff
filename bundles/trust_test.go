package bundles_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// chain is what a trust chain may look like: here it is bytes with names, one of
// them as long as can be.
func chain() map[string][]byte {
	return map[string][]byte{
		"15.root.json": []byte("{}\n"), "timestamp.json": []byte("not even JSON"), "7.snapshot.json": nil,
		"targets/" + strings.Repeat("f", 100): []byte("target"),
	}
}

// Property: a trust chain comes out as it went in, beside logs and without any,
// and the listings behind it can be read.
func TestTrustRoundTrip(t *testing.T) {
	for _, p := range []*bundles.Payload{sample(true), {Manifest: bundles.Manifest{Created: "2026-01-02T03:04:05Z"}}} {
		p.Trust = chain()
		b, err := open(framed(t, write(t, p)))
		if err != nil {
			t.Fatal(err)
		}
		want := chain()
		want["7.snapshot.json"] = []byte{}
		if !reflect.DeepEqual(b.Trust, want) || len(b.Manifest.Files) != 3*len(b.Logs)+4 {
			t.Errorf("%q", b.Trust)
		}
		n := 0
		if err := b.Listings(nil, func(string, []byte) error { n++; return nil }); err != nil || (n > 0) != (p.Listing != nil) {
			t.Errorf("%d listings, %v", n, err)
		}
	}
	if b, err := open(framed(t, write(t, sample(false)))); err != nil || b.Trust != nil {
		t.Errorf("a chain came out of nothing: %v, %v", b.Trust, err)
	}
}

// Property: no other file hides among those of the chain, no file of it is
// another than the manifest lists, and none has a name that could be a path.
func TestTrustLies(t *testing.T) {
	p := sample(true)
	p.Trust = chain()
	files := unpack(t, write(t, p))
	last := slices.IndexFunc(files, func(f file) bool { return f.name == "trust/timestamp.json" })
	rename := func(to string) func(f []file) []file {
		return func(f []file) []file {
			if f[last].name = to; strings.HasSuffix(to, "/") || len(to) > 114 { // ustar can't say it, the manifest can
				f[last].name = "trust/x"
			}
			return edited(t, f, func(m *bundles.Manifest) { m.Files[last-1].Name = to })
		}
	}
	for name, lie := range map[string]func(f []file) []file{
		"another content":           func(f []file) []file { f[last].data = []byte("not even json"); return f },
		"not there":                 func(f []file) []file { return slices.Delete(f, last, last+1) },
		"not listed":                func(f []file) []file { return edited(t, f, func(m *bundles.Manifest) { m.Files = m.Files[:last-1] }) },
		"size below zero":           func(f []file) []file { return edited(t, f, func(m *bundles.Manifest) { m.Files[last-1].Size = -1 }) },
		"a path upwards":            rename("trust/../timestamp.json"),
		"a hidden file":             rename("trust/.timestamp.json"),
		"a folder more":             rename("trust/zz/timestamp.json"),
		"no name":                   rename("trust/"),
		"no name in targets":        rename("trust/targets/"),
		"a name with a space":       rename("trust/time stamp.json"),
		"a backslash":               rename(`trust/timestamp\json`),
		"a longer name":             rename("trust/targets/" + strings.Repeat("g", 101)),
		"a file behind the chain":   rename("trust0"),
		"a file of no log":          rename("zlogs/0/checkpoint"),
		"a folder like the chain's": rename("trusty/timestamp.json"),
	} {
		lied := lie(slices.Clone(files))
		b, err := open(repacked(t, lied))
		wantDamaged(t, name, b, err)
	}
	for name := range map[string]bool{"": true, ".x": true, "a/b": true, "../x": true, "targets/": true, strings.Repeat("x", 101): true, "ä": true} {
		p := sample(false)
		p.Trust = map[string][]byte{name: []byte("x")}
		if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil {
			t.Errorf("a file named %q was written", name)
		}
	}
}

// Property: the limits of a chain are those of docs/format.md, Section 8, are
// accepted, and refused with one more.
func TestTrustLimits(t *testing.T) {
	if bundles.MaxTrustFiles != 260 || bundles.MaxTrustFile != 5_000_000 || bundles.MaxTrustBytes != 16<<20 {
		t.Error("the format says otherwise")
	}
	p := sample(false)
	p.Trust = map[string][]byte{"a": []byte("123"), "b": []byte("12345"), "c": nil}
	file := framed(t, write(t, p))
	for name, n := range map[string]int64{"trustFiles": 3, "trustFile": 5, "trustBytes": 8} {
		o := bundles.OpenOptions{InsecureIgnoreSeals: true}
		if _, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, name, n); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		b, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, name, n-1)
		wantDamaged(t, fmt.Sprintf("%s over the limit", name), b, err)
		if err := bundles.WriteWithLimit(&bytes.Buffer{}, p, name, n); err != nil {
			t.Errorf("writing %s at the limit: %v", name, err)
		}
		if err := bundles.WriteWithLimit(&bytes.Buffer{}, p, name, n-1); err == nil {
			t.Errorf("%s was written over the limit", name)
		}
	}
}
