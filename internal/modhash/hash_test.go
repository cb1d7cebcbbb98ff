package modhash_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/modseal/modseal/internal/modhash"
)

// An h1 has one spelling.
func TestH1(t *testing.T) {
	// Known answer: go.sum of any module that needs golang.org/x/mod v0.42.0.
	const s = "h1:ICeL3t2L30ljSPHHxDnR4fqVcBt/zR2zJAb9juavmQg="
	const hex = "20278bdedd8bdf496348f1c7c439d1e1fa95701b7fcd1db32406fd8ee6af9908"
	h, err := modhash.ParseH1(s)
	if err != nil || h.String() != s || h.Hex() != hex {
		t.Fatalf("got %v, %s, %v", h, h.Hex(), err)
	}
	for _, bad := range []string{
		"",
		"h1:",
		s[3:],                           // no prefix
		"h2:" + s[3:],                   // another hash
		"H1:" + s[3:],                   // upper case
		s[:len(s)-1],                    // no padding
		s + "=",                         // too much padding
		s[:len(s)-2] + "h=",             // bits set that are not in the hash
		s[:len(s)-2] + "==",             // 31 bytes
		s[:len(s)-1] + "g",              // 33 bytes
		s[:10] + "\n" + s[11:],          // a line break, which base64 passes over
		s[:10] + "\n" + s[10:],          // and one more
		strings.Replace(s, "/", "_", 1), // base64 for URLs
		" " + s, s + " ",
		hex,
		strings.Repeat("x", 1<<20),
	} {
		if h, err := modhash.ParseH1(bad); err == nil || len(err.Error()) > 400 {
			t.Errorf("ParseH1(%.80q) = %v, %v", bad, h, err)
		}
	}
	if h, err := modhash.ParseH1(modhash.H1{}.String()); err != nil || h != (modhash.H1{}) {
		t.Errorf("32 zeros: %v, %v", h, err)
	}
}

// The h1 of a go.mod file is Hash1 of that one file, and can be had from its line in a listing.
func TestGoModH1(t *testing.T) {
	for _, data := range []string{"", "module example.com/m\n", strings.Repeat("x", 1<<20)} {
		want, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(data)), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := modhash.GoModH1([]byte(data)); got.String() != want {
			t.Errorf("got %v, want %s", got, want)
		}
		if got := modhash.GoModH1FromFileHash(sha256.Sum256([]byte(data))); got.String() != want {
			t.Errorf("from the hash: got %v, want %s", got, want)
		}
	}
}

// Bytes are hashed as SHA-256 hashes them, however many come at once, below, at and above the size of the buffer.
func TestZipDigest(t *testing.T) {
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>8)
	}
	for _, n := range []int{0, 1, 128<<10 - 1, 128 << 10, 128<<10 + 1, 256 << 10, 1 << 20} {
		for name, r := range map[string]io.Reader{
			"whole":        bytes.NewReader(data[:n]),
			"pieces":       pieces{bytes.NewReader(data[:n]), 1000},
			"large":        pieces{bytes.NewReader(data[:n]), 128 << 10},
			"EOF in it":    &early{data[:n]},
			"now and then": &hesitant{r: bytes.NewReader(data[:n])},
		} {
			d, size, err := modhash.ZipDigest(t.Context(), r)
			if err != nil || d != sha256.Sum256(data[:n]) || size != int64(n) {
				t.Errorf("%s, %d bytes: %v, %d, %v", name, n, d, size, err)
			}
		}
	}
}

// What a worker has hashed before does not matter.
func TestDigestAgain(t *testing.T) {
	h := modhash.New(modhash.Options{Workers: 1})
	for i, n := range []int{200 << 10, 300 << 10, 0, 128 << 10, 10, 200 << 10} {
		data := bytes.Repeat([]byte{byte(i)}, n)
		d, size, err := h.Digest(t.Context(), writeZip(t, data))
		if err != nil || d != sha256.Sum256(data) || size != int64(n) {
			t.Errorf("%d bytes: %v, %d, %v", n, d, size, err)
		}
	}
}

// pieces returns at most n bytes at once.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// early returns io.EOF with the last bytes.
type early struct{ data []byte }

func (e *early) Read(b []byte) (int, error) {
	n := copy(b, e.data)
	if e.data = e.data[n:]; len(e.data) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// hesitant returns nothing every other time.
type hesitant struct {
	r    io.Reader
	busy bool
}

func (h *hesitant) Read(b []byte) (int, error) {
	if h.busy = !h.busy; h.busy {
		return 0, nil
	}
	return h.r.Read(b)
}

// A reader that fails, or that returns nothing for ever, or a context that ends, is an error.
func TestZipDigestFails(t *testing.T) {
	broken := errors.New("broken")
	half := io.MultiReader(strings.NewReader("x"), failing{broken})
	if _, _, err := modhash.ZipDigest(t.Context(), half); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, _, err := modhash.ZipDigest(t.Context(), failing{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := modhash.ZipDigest(ctx, zeros{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// zeros has no end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
