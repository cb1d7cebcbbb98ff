package bundles_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// Property: only listings that are wanted are handed out, each with its digest, in
// order.
func TestWantedListings(t *testing.T) {
	p := sample(true)
	b, err := open(framed(t, write(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range p.Manifest.Modules {
		all = append(all, m.Listing)
	}
	slices.Sort(all)
	for mask := range 1 << len(all) {
		var wanted, got []string
		for i := range all {
			if mask>>i&1 == 1 {
				wanted = append(wanted, all[i])
			}
		}
		err := b.Listings(func(digest string) bool { return slices.Contains(wanted, digest) }, func(digest string, data []byte) error {
			if hexOf(string(data)) != digest {
				t.Errorf("listing %s has another digest", digest)
			}
			got = append(got, digest)
			return nil
		})
		if err != nil || !slices.Equal(got, wanted) {
			t.Errorf("wanted %q, got %q, %v", wanted, got, err)
		}
	}
}

// listed are the names of the listings.
func listed(files []file) (digests []string) {
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.name, "listings/"); ok {
			digests = append(digests, name)
		}
	}
	return digests
}

// Property: a listing whose content is another is not hashed, until it is wanted: then it
// is not handed out.
func TestUnwantedListingsAreNotHashed(t *testing.T) {
	files := unpack(t, write(t, sample(true)))
	names := listed(files)
	for i, name := range names {
		lied := slices.Clone(files)
		f := at(t, lied, "listings/"+name)
		f.data = bytes.ToUpper(f.data)
		b := trusting(t, lied)
		for k, wanted := range names {
			n := 0
			err := b.Listings(func(digest string) bool { return digest == wanted }, func(string, []byte) error { n++; return nil })
			if k == i && (n != 0 || !errors.Is(err, bundles.ErrDamaged)) {
				t.Errorf("the lie was handed out %d times: %v", n, err)
			}
			if k != i && (n != 1 || err != nil) {
				t.Errorf("another was handed out %d times: %v", n, err)
			}
		}
	}
}

// trusting opens a bundle of these files that a trusted sealer sealed.
func trusting(t *testing.T, files []file) *bundles.Bundle {
	t.Helper()
	frame := framed(t, compress(t, archive(t, files)), []byte("seal"))
	b, err := bundles.Open(bytes.NewReader(frame), int64(len(frame)), bundles.OpenOptions{Seals: &recorder{accept: true}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Property: on the way to the last listing that is wanted, each of the others must be in
// its place.
func TestListingsThatArePassedOver(t *testing.T) {
	files := unpack(t, write(t, sample(true)))
	names := listed(files)
	last := names[len(names)-1]
	i := slices.IndexFunc(files, func(f file) bool { return strings.HasPrefix(f.name, "listings/") })
	for name, lie := range map[string]func(f []file) []file{
		"one less":  func(f []file) []file { return slices.Delete(f, i, i+1) },
		"one more":  func(f []file) []file { return slices.Insert(f, i, f[i]) },
		"renamed":   func(f []file) []file { f[i].name = "listings/" + hexOf("x"); return f },
		"exchanged": func(f []file) []file { f[i], f[i+1] = f[i+1], f[i]; return f },
	} {
		b := trusting(t, lie(slices.Clone(files)))
		if err := b.Listings(func(digest string) bool { return digest == last }, func(string, []byte) error { return nil }); !errors.Is(err, bundles.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Listings(func(string) bool { return false }, nil); err != nil {
			t.Errorf("%s, and none wanted: %v", name, err)
		}
	}
}

// Property: for no listing the file is not read at all.
func TestNoListingWanted(t *testing.T) {
	file := framed(t, write(t, sample(true)))
	r := &breakingReader{r: bytes.NewReader(file), left: 1 << 30, err: errors.New("read")}
	b, err := bundles.Open(r, int64(len(file)), bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil {
		t.Fatal(err)
	}
	r.left = 0
	if err := b.Listings(func(string) bool { return false }, nil); err != nil {
		t.Errorf("none: %v", err)
	}
	if err := b.Listings(nil, nil); err == nil || errors.Is(err, bundles.ErrDamaged) {
		t.Errorf("all: %v, want an error of the file", err)
	}
}

// Property: the limits on listings hold for those that are passed over.
func TestLimitsOfListingsThatArePassedOver(t *testing.T) {
	files := unpack(t, write(t, sample(true)))
	names := listed(files)
	long, last := at(t, files, "listings/"+names[0]), names[len(names)-1]
	long.data = append(slices.Clone(long.data), "longer than the one that is wanted"...) // nobody hashes it
	all, one := int64(0), int64(len(long.data))
	for _, name := range names {
		all += int64(len(at(t, files, "listings/"+name).data))
	}
	frame := framed(t, compress(t, archive(t, files)), []byte("seal"))
	for name, n := range map[string]int64{"listing": one, "listings": all} {
		for _, over := range []int64{0, 1} {
			b, err := bundles.OpenWithLimit(bytes.NewReader(frame), int64(len(frame)), bundles.OpenOptions{Seals: &recorder{accept: true}}, name, n-over)
			if err != nil {
				t.Fatal(err)
			}
			err = b.Listings(func(digest string) bool { return digest == last }, func(string, []byte) error { return nil })
			if over == 0 && err != nil || over == 1 && !errors.Is(err, bundles.ErrDamaged) {
				t.Errorf("%s, %d over the limit: %v", name, over, err)
			}
		}
	}
}
