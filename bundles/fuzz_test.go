package bundles_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// checkOpened demands of what came of opening anything: an error of the right
// kind, or a bundle that is written again as the same archive.
func checkOpened(t *testing.T, b *bundles.Bundle, err error, tar func() []byte) {
	if err != nil {
		if b != nil || errors.Is(err, bundles.ErrDamaged) == errors.Is(err, bundles.ErrVersion) || errors.Is(err, bundles.ErrUnsealed) {
			t.Fatalf("error of the wrong kind: %v", err)
		}
		return
	}
	listings := map[string][]byte{}
	if err := b.Listings(nil, func(digest string, listing []byte) error {
		listings[digest] = listing
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	p := &bundles.Payload{Manifest: b.Manifest, Logs: b.Logs, Trust: b.Trust}
	if b.Manifest.Listings {
		p.Listing = func(digest string) ([]byte, error) { return listings[digest], nil }
	}
	carried := map[string][]byte{}
	if err := b.Carried(func(f bundles.CarriedFile, r io.Reader) (err error) {
		carried[f.Name], err = io.ReadAll(r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.Carry = func(f bundles.CarriedFile) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(carried[f.Name])), nil
	}
	var again bytes.Buffer
	if err := bundles.WritePayload(&again, p); err != nil {
		t.Fatalf("accepted, and can't be written: %v", err)
	}
	if !bytes.Equal(decompress(t, again.Bytes()), tar()) {
		t.Fatal("accepted, and written again as something else")
	}
}

// Property: Open does not panic on any file. What it accepts without a seal is
// written again as the identical archive.
func FuzzOpen(f *testing.F) {
	for _, listings := range []bool{true, false} {
		payload := write(f, sample(listings))
		f.Add(framed(f, payload))
		f.Add(framed(f, payload, []byte("seal"), nil))
		f.Add(framed(f, stored(decompress(f, payload), uint64(len(decompress(f, payload))))))
	}
	trust := sample(false)
	trust.Trust = chain()
	f.Add(framed(f, write(f, trust)))
	f.Add([]byte{})
	f.Add(make([]byte, 1024))
	f.Add(framed(f, compress(f, make([]byte, 1<<20)))) // a small bomb
	f.Add(framed(f, bytes.Repeat(skippable(0), 1000)))
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := open(file)
		checkOpened(t, b, err, func() []byte { return decompress(t, unpackFrame(t, file)[len(b.Refused)].data) })
	})
}

// Property: the same for any archive inside, which a change to compressed bytes
// hardly ever reaches.
func FuzzPayload(f *testing.F) {
	files := unpack(f, write(f, sample(true)))
	f.Add(archive(f, files))
	f.Add(archive(f, unpack(f, write(f, &bundles.Payload{Manifest: bundles.Manifest{Created: "2026-01-02T03:04:05Z"}}))))
	f.Add(archive(f, files[:1]))
	trust := sample(false)
	trust.Trust = chain()
	f.Add(archive(f, unpack(f, write(f, trust))))
	f.Add(archive(f, unpack(f, write(f, published()))))
	f.Add(archive(f, unpack(f, write(f, since(2, 7)))))
	modules, _ := carrying(f)
	f.Add(archive(f, unpack(f, write(f, modules))))
	forms := otherForms(f, files)
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		f.Add(forms[name])
	}
	for _, name := range []string{"../evil", "/etc/evil", "LOGS/0/entries.jsonl", "manifest.json", "logs/0/../../evil"} {
		f.Add(archive(f, append(slices.Clone(files), file{name, []byte("x")})))
	}
	f.Fuzz(func(t *testing.T, tar []byte) {
		b, err := open(framed(t, stored(tar, uint64(len(tar)))))
		checkOpened(t, b, err, func() []byte { return tar })
	})
}

// Property: a manifest that is accepted has one encoding, which is the one that
// was read.
func FuzzManifest(f *testing.F) {
	for _, listings := range []bool{true, false} {
		f.Add(unpack(f, write(f, sample(listings)))[0].data)
	}
	f.Add(unpack(f, write(f, published()))[0].data)
	modules, _ := carrying(f)
	f.Add(unpack(f, write(f, modules))[0].data)
	f.Add([]byte(`{"mediaType":"application/vnd.modseal.manifest.v2+json"}`))
	good := unpack(f, write(f, sample(true)))[0].data
	f.Add(bytes.Replace(good, []byte(` "created"`), []byte(` "created": "",`+"\n"+` "created"`), 1)) // twice
	f.Add(append(good[:bytes.Index(good, []byte(`"projects": [`))+13], bytes.Repeat([]byte("["), 10_000)...))
	f.Add(append(good[:bytes.Index(good, []byte(`"projects": [`))+13], bytes.Repeat([]byte("{},"), 10_000)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := bundles.DecodeManifest(data)
		if err != nil {
			if m != nil || errors.Is(err, bundles.ErrDamaged) == errors.Is(err, bundles.ErrVersion) {
				t.Fatalf("error of the wrong kind: %v", err)
			}
			return
		}
		if again, err := bundles.EncodeManifest(m); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("encodes to %q, %v", again, err)
		}
	})
}

// Property: so do entries.
func FuzzEntries(f *testing.F) {
	for _, name := range []string{"logs/0/entries.jsonl", "logs/1/entries.jsonl"} {
		f.Add(at(f, unpack(f, write(f, sample(false))), name).data)
		f.Add(at(f, unpack(f, write(f, published())), name).data)
	}
	f.Add([]byte(`{"index":7,"leaf":"a <b>\u2028\n","logIndex":1007,"integratedTime":1767225607,"set":"AAE="}` + "\n"))
	f.Add([]byte(`{"index":4611686018427387904,"leaf":""}` + "\n"))
	f.Add([]byte(`{"index":1,"index":1,"leaf":"a","leaf":"b"}` + "\n"))
	f.Add([]byte(`{"index":1,"leaf":` + strings.Repeat("[", 10_000) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := bundles.DecodeEntries(data)
		if err != nil {
			if e != nil || !errors.Is(err, bundles.ErrDamaged) {
				t.Fatalf("error of the wrong kind: %v", err)
			}
			return
		}
		if again, err := bundles.EncodeEntries(e); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("encodes to %q, %v", again, err)
		}
	})
}

// Property: so do consistency proofs.
func FuzzEarlier(f *testing.F) {
	f.Add(at(f, unpack(f, write(f, since(1, 3, 9))), "logs/1/consistency.jsonl").data)
	f.Add([]byte(`{"size":3,"proof":[]}` + "\n"))
	f.Add([]byte(`{"size":4611686018427387905,"proof":[` + strings.Repeat(`"",`, 1000) + `""]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := bundles.DecodeEarlier(data)
		if err != nil {
			if c != nil || !errors.Is(err, bundles.ErrDamaged) {
				t.Fatalf("error of the wrong kind: %v", err)
			}
			return
		}
		if again, err := bundles.EncodeEarlier(c); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("encodes to %q, %v", again, err)
		}
	})
}
