package bundles_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/testlog"
)

// Property: seals that are accepted and not enough are as good as none: not a
// byte of the payload is decompressed.
func TestNotEnoughSeals(t *testing.T) {
	payload := []byte("not zstd, and nobody looks")
	file := framed(t, payload, []byte("seal 0"), []byte("seal 1"))
	lacks := &recorder{accept: true, lacks: errors.New("three are needed")}
	b, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{Seals: lacks})
	if b != nil || !errors.Is(err, bundles.ErrUnsealed) || errors.Is(err, bundles.ErrDamaged) || !strings.Contains(err.Error(), "three are needed") {
		t.Errorf("%v, %v", b, err)
	}
	// told to ignore them, it is opened as nobody's
	good := write(t, sample(false))
	file = framed(t, good, []byte("seal 0"))
	b, err = bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{Seals: lacks, InsecureIgnoreSeals: true})
	if err != nil || len(b.Seals) != 0 || len(b.Refused) != 1 {
		t.Errorf("ignored: %+v, %v", b, err)
	}
}

// Property: the same with real keys: one seal where two are asked for, or two by
// the same sealer, open nothing; two by different sealers do.
func TestThreshold(t *testing.T) {
	payload := write(t, sample(false))
	d, err := bundles.DigestsOf(bytes.NewReader(payload), int64(len(payload)))
	if err != nil {
		t.Fatal(err)
	}
	var flags policy.Flags
	seals := map[string][]byte{}
	for _, name := range []string{"alice", "bob"} {
		k, err := keys.ParsePrivate(testlog.NewSigner(name).PrivatePEM(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if seals[name], err = seal.ByKey(k, d); err != nil {
			t.Fatal(err)
		}
		flags.Sealers = append(flags.Sealers, policy.KeySigner(k.Public()))
	}
	flags.SealThreshold = 2
	trusted := seal.Trusted{Rule: policy.FromFlags(flags).Seal}
	a, b := seals["alice"], seals["bob"]
	for i, c := range []struct {
		seals [][]byte
		fine  bool
	}{{[][]byte{a}, false}, {[][]byte{a, a}, false}, {[][]byte{b, []byte("junk")}, false}, {[][]byte{a, b}, true}, {[][]byte{b, []byte("junk"), a}, true}} {
		file := framed(t, payload, c.seals...)
		opened, err := bundles.Open(bytes.NewReader(file), int64(len(file)), bundles.OpenOptions{Seals: trusted})
		if (err == nil) != c.fine || err != nil && !errors.Is(err, bundles.ErrUnsealed) {
			t.Errorf("%d: %v", i, err)
		}
		if c.fine && (len(opened.Seals) != 2 || len(opened.SealFiles()) != len(c.seals) || opened.Seals[1].Index != len(c.seals)-1) {
			t.Errorf("%d: %+v", i, opened.Seals)
		}
	}
}
