package attest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/attest"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
)

// Property: an Ed25519 key is refused for zips and listings, since its entries
// are over another digest than the one that others search for.
func TestEd25519(t *testing.T) {
	key, err := keys.Generate(keys.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	if err := attest.CheckKey(key.Public(), false); !errors.Is(err, keys.ErrUnsupported) {
		t.Error(err)
	}
	if err := attest.CheckKey(key.Public(), true); err != nil {
		t.Errorf("for statements: %v", err)
	}
	if err := attest.CheckKey(newWorld(t).key.Public(), false); err != nil {
		t.Errorf("ECDSA: %v", err)
	}
}

// Property: a statement is one entry, names the module, and has both digests;
// attesting again makes no other, be its bundle there or only the log's entry.
func TestStatement(t *testing.T) {
	w := newWorld(t)
	w.statement = true
	var first attest.Attestation
	for i, again := range []string{"at first", "there", "found"} {
		if again == "found" {
			w.empties()
		}
		list, err := w.attester().Module(context.Background(), plain, w.zip)
		if err != nil || len(list) != 1 || list[0].Of != "statement" || list[0].Existed != (i > 0) {
			t.Fatalf("%s: %+v, %v", again, list, err)
		}
		if i == 0 {
			first = list[0]
		}
		p, err := evidence.ReadBundle(w.bundle(list[0]))
		if err != nil || list[0].LogIndex != first.LogIndex || w.log.Shard().Size() != 6 {
			t.Fatalf("%s: %+v, %v, %d entries", again, list, err, w.log.Shard().Size())
		}
		s := p[0].Claim.Statement
		if s == nil || s.PredicateType != attest.PredicateType {
			t.Fatalf("%s: %+v", again, s)
		}
		for _, d := range [][32]byte{w.zip.Digest, w.zip.Listing.H1()} {
			if names := s.Names(evidence.SHA256(d)); len(names) != 1 || !evidence.NamesModule(names[0], plain) {
				t.Errorf("%s: %x has the names %q", again, d, names)
			}
		}
	}
}

// Property: no file is overwritten that is not this signer's about this content,
// and nothing is logged then. What is in order is not asked about again.
func TestFilesAreKept(t *testing.T) {
	w := newWorld(t)
	done := w.attest()
	own := w.bundle(done[1])
	bob, err := keys.ParsePrivate(testlog.NewSigner("bob").PrivatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	size := w.log.Shard().Size()
	for _, c := range []struct {
		name string
		key  *keys.Private
		file []byte
		says string
	}{
		{"another signer", bob, own, "is there and is not overwritten: not this signature: it is by key " + w.key.Public().String()},
		{"another content", w.key, w.bundle(done[0]), "it is over something else"},
		{"damaged", w.key, own[:100], "is there and is not overwritten"},
		{"not a bundle", w.key, []byte("{}"), "is there and is not overwritten"},
		{"in a log that is not trusted", w.key, bytes.Replace(own, []byte(`"keyId":"`), []byte(`"keyId":"AAAA`), 1), "is there and is not overwritten"},
	} {
		v := *w
		v.key, v.dir = c.key, t.TempDir()
		name := strings.Replace(done[1].File, w.dir, v.dir, 1)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, c.file, 0o644)); err != nil {
			t.Fatal(err)
		}
		list, err := v.attester().Module(context.Background(), plain, w.zip)
		if list != nil || err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "in another folder (-o)") {
			t.Errorf("%s: %+v, %v", c.name, list, err)
		}
		if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, c.file) {
			t.Errorf("%s: overwritten", c.name)
		}
		if got := w.log.Shard().Size(); got != size {
			t.Errorf("%s: %d entries were logged", c.name, got-size)
		}
	}
}
