package bundles_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// Property: what was written comes out again, with and without listings, and
// with any number of seals from none to 16.
func TestRoundTrip(t *testing.T) {
	for _, listings := range []bool{true, false} {
		p := sample(listings)
		payload := write(t, p)
		for seals := range bundles.MaxSeals + 1 {
			var all [][]byte
			for i := range seals {
				all = append(all, fmt.Appendf(nil, "seal %d", i))
			}
			file := framed(t, payload, all...)
			v := &recorder{accept: true}
			b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{Seals: v, InsecureIgnoreSeals: seals == 0})
			if err != nil {
				t.Fatalf("%d seals: %v", seals, err)
			}
			if !reflect.DeepEqual(b.Manifest, p.Manifest) || !reflect.DeepEqual(b.Logs, p.Logs) {
				t.Fatalf("%d seals: %+v differs from %+v", seals, b.Manifest, p.Manifest)
			}
			if len(b.Seals) != seals || len(v.seals) != seals || len(b.Refused) != 0 {
				t.Errorf("%d seals: accepted %d of %d", seals, len(b.Seals), len(v.seals))
			}
			if b.Payload.SHA256 != sha256.Sum256(payload) || b.Payload.SHA512 != sha512.Sum512(payload) || b.Size != int64(len(payload)) {
				t.Errorf("%d seals: digests of something else", seals)
			}
			got, err := io.ReadAll(b.PayloadReader())
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%d seals: payload reads as %d bytes, %v", seals, len(got), err)
			}
			n := 0
			err = b.Listings(nil, func(digest string, listing []byte) error {
				want, _ := p.Listing(digest)
				if n++; !bytes.Equal(listing, want) {
					t.Errorf("listing %s reads as %q", digest, listing)
				}
				return nil
			})
			if err != nil || (n > 0) != listings || n > len(p.Manifest.Modules) {
				t.Errorf("%d listings, %v", n, err)
			}
		}
	}
}

// Property: a bundle of nothing is a bundle.
func TestEmpty(t *testing.T) {
	p := &bundles.Payload{Manifest: bundles.Manifest{Created: "2026-01-02T03:04:05Z"}}
	b, err := open(framed(t, write(t, p)))
	if err != nil || len(b.Logs) != 0 || len(b.Manifest.Modules) != 0 || b.Manifest.Files == nil {
		t.Errorf("%+v, %v", b, err)
	}
}

// Property: equal inputs give equal bytes. The digest is of the tar, not of what
// zstd makes of it, so that it holds whatever compresses.
func TestCanonical(t *testing.T) {
	const want = "ae599e86c773f0e6f4e01ebf4107c9ed68da9da7924051dcd5fab80f746ab1db"
	a, b := write(t, sample(true)), write(t, sample(true))
	if !bytes.Equal(a, b) {
		t.Error("two payloads of equal inputs differ")
	}
	if got := hexOf(string(decompress(t, a))); got != want {
		t.Errorf("SHA-256 of the payload's tar is %s, want %s: a change of the format", got, want)
	}
	if !bytes.Equal(archive(t, unpack(t, a)), decompress(t, a)) {
		t.Error("the payload's tar is not in canonical form")
	}
	frame := framed(t, a, []byte("a seal"))
	if want := archive(t, []file{{"signatures/0.sigstore.json", []byte("a seal")}, {bundles.PayloadName, a}}); !bytes.Equal(frame, want) {
		t.Error("the frame is not in canonical form")
	}
}

// Property: WritePayload orders nothing that the caller orders, and changes
// nothing but what it says it fills in.
func TestWriteFillsIn(t *testing.T) {
	p := sample(true)
	p.Manifest.MediaType, p.Manifest.Listings = "nonsense", false
	p.Manifest.Logs, p.Manifest.Files = []bundles.LogInfo{{Name: "old"}}, []bundles.File{{Name: "old"}}
	again := sample(true)
	if !bytes.Equal(write(t, p), write(t, again)) || !reflect.DeepEqual(p.Manifest, again.Manifest) {
		t.Errorf("%+v differs from %+v", p.Manifest, again.Manifest)
	}
	if m := p.Manifest; len(m.Logs) != 2 || len(m.Files) != 6 || !m.Listings || m.MediaType != bundles.MediaType {
		t.Errorf("filled in as %+v", m)
	}
}

// Property: the frame around a payload that is not copied is the one that
// WriteFile writes, from whatever place and in whatever portions it is read.
func TestUnsealedFrame(t *testing.T) {
	for _, n := range []int{0, 1, 511, 512, 513, 3000} {
		payload := bytes.Repeat([]byte{'p'}, n)
		want := framed(t, payload)
		r, size, err := bundles.UnsealedFrame(bytes.NewReader(payload), int64(n))
		if err != nil || size != int64(len(want)) {
			t.Fatalf("payload of %d: size %d, %v, want %d", n, size, err, len(want))
		}
		for _, step := range []int64{1, 7, 512, 5000} {
			for off := int64(0); off <= size; off += step {
				buf := make([]byte, 600)
				got, err := r.ReadAt(buf, off)
				if end := min(off+600, size); !bytes.Equal(buf[:got], want[off:end]) || (got < 600) != (err == io.EOF) {
					t.Fatalf("payload of %d at %d: %d bytes, %v", n, off, got, err)
				}
			}
		}
	}
	if _, _, err := bundles.UnsealedFrame(bytes.NewReader(nil), bundles.MaxPayload+1); err == nil {
		t.Error("a frame was made around more than the largest payload")
	}
}

// Property: ordinary tools see the same files: tar and zstd.
func TestOrdinaryTools(t *testing.T) {
	for _, tool := range []string{"tar", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: %s is not installed", tool)
		}
	}
	payload := write(t, sample(true))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "deps.modseal"), framed(t, payload, []byte("seal")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"tar", "xf", "deps.modseal"}, {"zstd", "-q", "-d", bundles.PayloadName}, {"tar", "xf", "payload.tar"}} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	for _, f := range append(unpack(t, payload), file{"signatures/0.sigstore.json", []byte("seal")}, file{bundles.PayloadName, payload}) {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.name)))
		if err != nil || !bytes.Equal(got, f.data) {
			t.Errorf("%s: %d bytes, %v; want %d", f.name, len(got), err, len(f.data))
		}
	}
}

// Property: a payload that is not as long as was said is not written as if it
// were; errors of its reader come out.
func TestWriteFileChecksSize(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		r    io.Reader
		size int64
		want string
	}{
		{bytes.NewReader(make([]byte, 10)), 10, ""},
		{bytes.NewReader(make([]byte, 10)), 11, "payload does not have the 11 bytes that were said"},
		{bytes.NewReader(make([]byte, 10)), 9, "payload does not have the 9 bytes that were said"},
		{bytes.NewReader(nil), -1, "payload of -1 bytes (at most 8589934591)"},
		{bytes.NewReader(nil), bundles.MaxPayload + 1, "payload of 8589934592 bytes (at most 8589934591)"},
		{io.MultiReader(bytes.NewReader(make([]byte, 5)), failing{broken}), 10, "disk on fire"},
	} {
		err := bundles.WriteFile(io.Discard, nil, c.r, c.size)
		if got := fmt.Sprint(err); got != c.want && !(c.want == "" && err == nil) {
			t.Errorf("size %d: %v, want %s", c.size, err, c.want)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// recorder is a SealVerifier that notes what it is asked.
type recorder struct {
	accept  bool
	lacks   error
	seals   [][]byte
	digests []bundles.Digests
}

func (r *recorder) VerifySeals(seals [][]byte, payload bundles.Digests) (s bundles.Sealing) {
	r.seals, r.digests = append(r.seals, seals...), append(r.digests, payload)
	for i := range seals {
		if r.accept {
			s.Accepted = append(s.Accepted, bundles.Seal{Index: i, By: "somebody"})
		} else {
			s.Refused = append(s.Refused, fmt.Errorf("seal %d: refused as told", i))
		}
	}
	s.Lacks = r.lacks
	return s
}
