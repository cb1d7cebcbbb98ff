package bundles_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
)

// sealed is a bundle with a seal by a real key, and the trust in that key alone.
func sealed(t testing.TB, payload []byte) ([]byte, seal.Trusted) {
	t.Helper()
	key, err := keys.ParsePrivate(testlog.NewSigner("sealer").PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := bundles.DigestsOf(bytes.NewReader(payload), int64(len(payload)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.ByKey(key, d)
	if err != nil {
		t.Fatal(err)
	}
	return framed(t, payload, s), seal.By(key.Public())
}

// Property: the verifier is asked about each seal with the digests of exactly
// the payload's bytes, and nothing is decompressed if it refuses all: what is no
// zstd at all is unsealed rather than damaged.
func TestAuthenticateThenParse(t *testing.T) {
	payload := []byte("not zstd, and nobody looks")
	file := framed(t, payload, []byte("seal 0"), []byte("seal 1"))
	read := &countingReader{r: bytes.NewReader(file)}
	v := &recorder{}
	b, err := bundles.Open(read, int64(len(file)), bundles.OpenOptions{Seals: v})
	if b != nil || !errors.Is(err, bundles.ErrUnsealed) || errors.Is(err, bundles.ErrDamaged) {
		t.Errorf("refused seals: %v, %v", b, err)
	}
	if want := "not sealed by a trusted sealer: seal 0: refused as told\nseal 1: refused as told"; err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
	want := bundles.Digests{SHA256: sha256.Sum256(payload), SHA512: sha512.Sum512(payload)}
	if len(v.seals) != 2 || string(v.seals[0]) != "seal 0" || string(v.seals[1]) != "seal 1" || len(v.digests) != 1 || v.digests[0] != want {
		t.Errorf("the verifier was asked about %q with %x", v.seals, v.digests)
	}
	if at := int64(bytes.Index(file, payload)); read.count[at] != 1 {
		t.Errorf("the payload was read %d times, want once for its digests", read.count[at])
	}

	for name, c := range map[string]struct {
		file []byte
		o    bundles.OpenOptions
		want string
	}{
		"no verifier":         {file, bundles.OpenOptions{}, "seal 0: no sealer is trusted"},
		"zero trust":          {file, bundles.OpenOptions{Seals: seal.Trusted{}}, "seal 0: not a Sigstore bundle"},
		"no seals":            {framed(t, payload), bundles.OpenOptions{Seals: &recorder{accept: true}}, "it has no seal"},
		"no seals, no trust":  {framed(t, payload), bundles.OpenOptions{}, "it has no seal"},
		"seals of wrong kind": {framed(t, payload, []byte("{}")), bundles.OpenOptions{Seals: seal.Trusted{}}, "seal 0: "},
	} {
		b, err := bundles.Open(bytes.NewReader(c.file), int64(len(c.file)), c.o)
		if b != nil || !errors.Is(err, bundles.ErrUnsealed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, o := range map[string]bundles.OpenOptions{"accepted": {Seals: &recorder{accept: true}}, "ignored": {InsecureIgnoreSeals: true}} {
		b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), o)
		wantDamaged(t, "no zstd, seals "+name, b, err)
	}
}

// Property: one accepted seal is enough, and the others are reported.
func TestOneOfManySeals(t *testing.T) {
	payload := write(t, sample(false))
	_, trusted := sealed(t, payload)
	file, _ := sealed(t, payload)
	good := unpackFrame(t, file)[0].data
	file = framed(t, payload, []byte("junk"), good)
	b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{Seals: trusted})
	if err != nil || len(b.Seals) != 1 || b.Seals[0].Index != 1 || b.Seals[0].By != "key "+trusted.Rule.Sealers()[0].Key.String() || len(b.Refused) != 1 {
		t.Errorf("%+v, %v", b, err)
	}
}

// Property: the bytes used are those that were sealed. A file that changes after
// its digests were taken is refused, wherever it changes, and so does a later
// reading.
func TestFileChangesBetweenReadings(t *testing.T) {
	p := sample(true)
	p.Manifest.Projects[0].Module = strings.Repeat("incompressible? ", 100)
	payload := write(t, p)
	file, trusted := sealed(t, payload)
	begin := bytes.Index(file, payload)
	for _, at := range []int{0, 1, len(payload) / 2, len(payload) - 1} {
		liar := &lyingReader{file: file, at: int64(begin + at)}
		b, err := bundles.Open(liar, int64(len(file)), bundles.OpenOptions{Seals: trusted})
		wantDamaged(t, fmt.Sprintf("byte %d changed", at), b, err)
		if err == nil || !strings.Contains(err.Error(), "the file changed while it was read") {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	liar := &lyingReader{file: file, at: int64(begin), after: 2}
	b, err := bundles.Open(liar, int64(len(file)), bundles.OpenOptions{Seals: trusted})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Listings(nil, func(string, []byte) error { return nil }); !errors.Is(err, bundles.ErrDamaged) {
		t.Errorf("listings of a changed file: %v", err)
	}
	if _, err := io.ReadAll(b.PayloadReader()); !errors.Is(err, bundles.ErrDamaged) {
		t.Errorf("payload of a changed file: %v", err)
	}
}

// Property: an error of the file is its own, whether it comes while the frame,
// the payload's digests or the payload's content is read; a file that ends is
// the bundle's fault.
func TestReadErrors(t *testing.T) {
	payload := append(skippable(3<<20), write(t, sample(true))...) // what is skipped is read all the same
	file, trusted := sealed(t, payload)
	broken := errors.New("input/output error")
	n := 0
	for fail := 0; ; fail++ {
		r := &breakingReader{r: bytes.NewReader(file), left: fail, err: broken}
		b, err := bundles.Open(r, int64(len(file)), bundles.OpenOptions{Seals: trusted})
		if err == nil {
			n = fail
			break
		}
		if b != nil || !errors.Is(err, broken) || errors.Is(err, bundles.ErrDamaged) || errors.Is(err, bundles.ErrUnsealed) {
			t.Fatalf("read %d fails: %v", fail, err)
		}
	}
	if n < 5 { // two headers, a seal, the end, twice the payload
		t.Errorf("opening took %d reads; the test sees too little", n)
	}
	for fail := range n {
		r := &breakingReader{r: bytes.NewReader(file), left: fail, err: io.EOF}
		b, err := bundles.Open(r, int64(len(file)), bundles.OpenOptions{Seals: trusted})
		wantDamaged(t, fmt.Sprintf("file ends at read %d", fail), b, err)
	}
}

// stride is from one place that is tried to the next: with -short, as under the
// race detector, not every byte is.
func stride() int {
	if testing.Short() {
		return 11
	}
	return 1
}

// Property: no byte of a sealed bundle can be flipped, be it of the payload, of
// the frame, or of the seal, which has one encoding too (white space aside).
func TestEveryByteFlipped(t *testing.T) {
	payload := write(t, sample(true))
	file, trusted := sealed(t, payload)
	inSeal := func(i int) bool { return i >= 512 && i < bytes.Index(file, []byte(bundles.PayloadName)) }
	for i := 0; i < len(file); i += stride() {
		for _, mask := range []byte{1 << (i % 8), 0xff} {
			bad := bytes.Clone(file)
			bad[i] ^= mask
			b, err := bundles.Open(bytes.NewReader(bad), int64(len(bad)), bundles.OpenOptions{Seals: trusted})
			if err == nil {
				t.Errorf("byte %d ^ %#x (in the seal: %v): accepted, %d bytes of payload", i, mask, inSeal(i), b.Size)
				continue
			}
			if errors.Is(err, bundles.ErrDamaged) == errors.Is(err, bundles.ErrUnsealed) {
				t.Errorf("byte %d ^ %#x: %v is neither or both", i, mask, err)
			}
		}
	}
}

// Property: no beginning of a bundle is one.
func TestTruncated(t *testing.T) {
	file, trusted := sealed(t, write(t, sample(true)))
	for n := 0; n < len(file); n += stride() {
		for _, o := range []bundles.OpenOptions{{Seals: trusted}, {InsecureIgnoreSeals: true}} {
			b, err := bundles.Open(bytes.NewReader(file), int64(n), o)
			wantDamaged(t, fmt.Sprintf("%d bytes", n), b, err)
			b, err = bundles.Open(bytes.NewReader(file[:n]), int64(len(file)), o)
			wantDamaged(t, fmt.Sprintf("%d bytes where more were said", n), b, err)
		}
	}
	long := append(bytes.Clone(file), 0)
	b, err := bundles.Open(bytes.NewReader(long), int64(len(long)), bundles.OpenOptions{Seals: trusted})
	wantDamaged(t, "one byte more", b, err)
}

// Property: without a seal a flip is refused or changes nothing: there are many
// ways to compress, but what is read is what was written.
func TestEveryByteFlippedUnsealed(t *testing.T) {
	p := sample(true)
	payload := write(t, p)
	file := framed(t, payload)
	accepted := 0
	for i := 0; i < len(file); i += 5 * stride() { // of which most are read to the end
		for _, mask := range []byte{1 << (i % 8), 0xff} {
			bad := bytes.Clone(file)
			bad[i] ^= mask
			b, err := open(bad)
			if errors.Is(err, bundles.ErrVersion) && b == nil {
				continue // the manifest's media type, before the compression's checksum is reached
			}
			if err != nil {
				wantDamaged(t, fmt.Sprintf("byte %d ^ %#x", i, mask), b, err)
				continue
			}
			accepted++
			if !reflect.DeepEqual(b.Manifest, p.Manifest) || !reflect.DeepEqual(b.Logs, p.Logs) {
				t.Errorf("byte %d ^ %#x: accepted with other content", i, mask)
			}
		}
	}
	t.Logf("%d flips changed the compression and nothing else", accepted)
}

// unpackFrame gives the files of a frame.
func unpackFrame(t testing.TB, frame []byte) []file {
	t.Helper()
	return unpack(t, compress(t, frame))
}

// countingReader counts how often each place was read from.
type countingReader struct {
	r     io.ReaderAt
	count map[int64]int
}

func (c *countingReader) ReadAt(p []byte, at int64) (int, error) {
	if c.count == nil {
		c.count = map[int64]int{}
	}
	c.count[at]++
	return c.r.ReadAt(p, at)
}

// lyingReader changes one byte from the second reading on, or a later one.
type lyingReader struct {
	file  []byte
	at    int64
	after int // readings that are honest; 0 means 1
	seen  int
}

func (l *lyingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(l.file).ReadAt(p, off)
	if i := l.at - off; i >= 0 && i < int64(n) {
		if l.seen++; l.seen > max(1, l.after) {
			p[i] ^= 1
		}
	}
	return n, err
}

// breakingReader fails after some readings.
type breakingReader struct {
	r    io.ReaderAt
	left int
	err  error
}

func (b *breakingReader) ReadAt(p []byte, at int64) (int, error) {
	if b.left--; b.left < 0 {
		return 0, b.err
	}
	return b.r.ReadAt(p, at)
}
