package evidence_test

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/testlog"
)

// Property: a time stamp that would take long to verify is refused before it is verified,
// whoever it is from: by its size, its signers, and the number and keys of the certificates
// in it.
func TestCostlyStamps(t *testing.T) {
	tsa := testlog.NewTSA("tsa")
	good := tsa.Stamp([]byte("signature"), stamped())
	for name, c := range map[string]struct {
		certificates int
		bits         int
		says         string
	}{
		"a key at the limit":          {1, 8192, ""},
		"a key one bit over":          {1, 8193, "RSA key of more than 8192 bits"},
		"a key as large as it may be": {1, 80_000, "RSA key of more than 8192 bits"},
		"larger than it may be":       {1, 140_000, "more than 32768 bytes"},
		"certificates at the limit":   {8, 1024, ""},
		"one certificate more":        {9, 1024, "more than 8 certificates"},
	} {
		key, huge := testlog.HugeKey(c.bits, "tsa", "huge", 7)
		var beside []*x509.Certificate
		for range c.certificates {
			beside = append(beside, huge)
		}
		err := evidence.CheckStamp(testlog.Restamp(good, key, huge, beside...))
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if err := evidence.CheckStamp(good); err != nil {
		t.Error(err)
	}
	for levels, deep := range map[int]bool{32: false, 33: true} { // the first is the response
		nested := []byte{5, 0}
		for range levels - 1 {
			nested = must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: nested}))
		}
		err := evidence.CheckStamp(must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append([]byte{0x30, 3, 2, 1, 0}, nested...)})))
		if err == nil || strings.Contains(err.Error(), "nested") != deep {
			t.Errorf("%d levels: %v", levels, err)
		}
	}
	refused := []byte{0x30, 5, 0x30, 3, 2, 1, 2} // status 2, and no time stamp
	if err := evidence.CheckStamp(refused); err != nil {
		t.Error(err)
	}
	if err := evidence.CheckStamp([]byte{0x30, 0x80, 0, 0}); err == nil || !strings.Contains(err.Error(), "not DER") {
		t.Errorf("an indefinite length: %v", err)
	}
	for i := range good[:len(good)-1] {
		if err := evidence.CheckStamp(good[:i]); err == nil {
			t.Errorf("a time stamp cut at %d is taken", i)
		}
	}
	for over, want := range []bool{false, true} {
		if err := evidence.CheckStamp(make([]byte, evidence.MaxStamp+over)); errors.Is(err, limit.ErrExceeded) != want {
			t.Errorf("%d bytes over the limit: %v", over, err)
		}
	}
}

// watched is an authority that tells what it is asked to verify.
type watched struct {
	root.TimestampingAuthority
	asked *[][]byte
}

func (w watched) Verify(stamp, signature []byte) (*root.Timestamp, error) {
	*w.asked = append(*w.asked, stamp)
	return w.TimestampingAuthority.Verify(stamp, signature)
}

// Property: no key but the authority's own verifies anything, whatever certificates stand
// in a time stamp: the library sees none of them, or where the authority's own is not known,
// the signer's alone. Nor does it see a time stamp twice.
func TestForeignStamps(t *testing.T) {
	s := newSite(t)
	tsa, signature := s.tsa, []byte("signature")
	good := tsa.Stamp(signature, stamped())
	evil, evilCert := testlog.HugeKey(2048, "tsa", "evil", 2) // the leaf's issuer and serial number
	_, evilCA := testlog.HugeKey(2048, "tsa", "tsa", 9)
	_, stranger := testlog.HugeKey(2048, "x", "stranger", 3)
	for name, c := range map[string]struct {
		stamp          []byte
		known, unknown bool // whether it verifies where the authority's certificate is known, and where it is not
	}{
		"its own":                       {good, true, false},
		"with its certificate":          {testlog.Restamp(good, tsa.LeafKey(), tsa.Leaf, tsa.Leaf), true, true},
		"with its chain":                {testlog.Restamp(good, tsa.LeafKey(), tsa.Leaf, tsa.Root, tsa.Leaf), true, true},
		"with strangers beside":         {testlog.Restamp(good, tsa.LeafKey(), tsa.Leaf, tsa.Leaf, stranger, evilCA), true, true},
		"of somebody else":              {testlog.Restamp(good, evil, evilCert, evilCert), false, false},
		"of somebody else, and its own": {testlog.Restamp(good, evil, tsa.Leaf, evilCert, tsa.Leaf), false, false},
		"of its holder, with another's": {testlog.Restamp(good, tsa.LeafKey(), tsa.Leaf, evilCert), true, false},
		"no time stamp":                 {[]byte{0x30, 5, 0x30, 3, 2, 1, 2}, false, false},
		"junk":                          {[]byte("junk"), false, false},
	} {
		for _, knows := range []bool{true, false} {
			var asked [][]byte
			one := &root.SigstoreTimestampingAuthority{Root: tsa.Root, URI: "https://tsa"}
			most := 1
			if knows {
				one.Leaf, most = tsa.Leaf, 0
			}
			a := evidence.NewBoundedAuthority(one, watched{one, &asked})
			for range 3 {
				if _, err := a.Verify(c.stamp, signature); (err == nil) != (knows && c.known || !knows && c.unknown) {
					t.Errorf("%s, its certificate known %t: %v", name, knows, err)
				}
			}
			if len(asked) > 1 || len(asked) == 0 && name != "junk" {
				t.Errorf("%s: verified %d times", name, len(asked))
			}
			for _, stamp := range asked {
				if n := evidence.CertificatesIn(stamp); n > most {
					t.Errorf("%s: the library is given %d certificates, want at most %d", name, n, most)
				}
			}
		}
	}
}

// Property: two signers are refused, of whom the library would verify each.
func TestStampOfTwo(t *testing.T) {
	s := newSite(t)
	two := testlog.RestampTwice(s.tsa.Stamp([]byte("signature"), stamped()), s.tsa.LeafKey(), s.tsa.Leaf)
	if err := evidence.CheckStamp(two); err == nil || !strings.Contains(err.Error(), "not one signer") {
		t.Error(err)
	}
}

// Property: where no authority is trusted, no time stamp verifies.
func TestStampOfNobody(t *testing.T) {
	s := newSite(t)
	stamp := s.tsa.Stamp([]byte("signature"), stamped())
	if err := evidence.VerifyStamp(stamp, []byte("signature"), root.TrustedMaterialCollection{}); err == nil || !strings.Contains(err.Error(), "no timestamp authority") {
		t.Error(err)
	}
}

// Property: so many verdicts are kept, and no more.
func TestVerdictsAtTheLimit(t *testing.T) {
	s := newSite(t)
	one := &root.SigstoreTimestampingAuthority{Root: s.tsa.Root, Leaf: s.tsa.Leaf}
	a := evidence.NewBoundedAuthority(one, one)
	for i := range evidence.MaxVerdicts {
		if _, err := a.Verify([]byte{byte(i), byte(i >> 8)}, nil); err == nil {
			t.Fatal("junk verifies")
		}
	}
	if n := evidence.Verdicts(a); n != evidence.MaxVerdicts {
		t.Errorf("%d verdicts are kept, want %d", n, evidence.MaxVerdicts)
	}
	if _, err := a.Verify([]byte("one more"), nil); err == nil || evidence.Verdicts(a) != 1 {
		t.Errorf("%v, and %d verdicts are kept", err, evidence.Verdicts(a))
	}
}

// Property: the verdict on a time stamp is for the signature that it is over.
func TestStampOfAnotherSignature(t *testing.T) {
	s := newSite(t)
	m := s.trust
	stamp := s.tsa.Stamp([]byte("one"), stamped())
	if err := evidence.VerifyStamp(stamp, []byte("one"), m); err != nil {
		t.Error(err)
	}
	if err := evidence.VerifyStamp(stamp, []byte("other"), m); err == nil {
		t.Error("a time stamp over another signature is taken")
	}
	one := m.TimestampingAuthorities()[0].(*root.SigstoreTimestampingAuthority)
	same, later := testlog.Restamp(stamp, s.tsa.LeafKey(), s.tsa.Leaf, s.tsa.Leaf), s.tsa.Stamp([]byte("one"), stamped().Add(1e9))
	for want, stamps := range map[int][][]byte{0: {[]byte("junk"), s.tsa.Stamp([]byte("other"), stamped())}, 1: {stamp, stamp, same}, 2: {stamp, same, later}} {
		if n := evidence.VerifiedStamps(stamps, []byte("one"), m); n != want {
			t.Errorf("%d time stamps verify, want %d", n, want)
		}
	}
	a := evidence.NewBoundedAuthority(one, one)
	for range 2 {
		if _, err := a.Verify(stamp, []byte("one")); err != nil {
			t.Error(err)
		}
		if _, err := a.Verify(stamp, []byte("other")); err == nil {
			t.Error("a remembered verdict is taken for another signature")
		}
	}
}

// Property: a time stamp is looked at safely before it is verified, and one that verifies
// without its certificates does so with that of the authority, for the same time.
func FuzzCheckStamp(f *testing.F) {
	s := newSite(f)
	good, signature := s.tsa.Stamp([]byte("signature"), stamped()), []byte("signature")
	key, huge := testlog.HugeKey(9000, "tsa", "huge", 2)
	for _, seed := range [][]byte{good, testlog.Restamp(good, s.tsa.LeafKey(), s.tsa.Leaf, s.tsa.Leaf, s.tsa.Root), testlog.Restamp(good, key, huge, huge), good[:len(good)/2], nil} {
		f.Add(seed)
	}
	one := s.trust.TimestampingAuthorities()[0].(*root.SigstoreTimestampingAuthority)
	f.Fuzz(func(t *testing.T, stamp []byte) {
		at, err := evidence.NewBoundedAuthority(one, one).Verify(stamp, signature)
		if err != nil {
			return
		}
		// what is not signed does not matter: the same with the authority's own certificate
		own, err := evidence.WithCertificate(stamp, s.tsa.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := one.Verify(own, signature); err != nil || !other.Time.Equal(at.Time) {
			t.Errorf("%x verifies at %v; with the certificate: %v, %v", stamp, at, other, err)
		}
	})
}
