package keys_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/modseal/modseal/internal/keys"
)

func digest(k *keys.Public, msg string) []byte {
	if k.Hash().Size() == 64 {
		d := sha512.Sum512([]byte(msg))
		return d[:]
	}
	d := sha256.Sum256([]byte(msg))
	return d[:]
}

// Property: a key survives its file, plain and encrypted, signs reproducibly,
// and its signature verifies under its own public file and under no other key.
func TestRoundTrip(t *testing.T) {
	for _, kind := range []keys.Kind{keys.ECDSA, keys.Ed25519} {
		t.Run(string(kind), func(t *testing.T) {
			k, err := keys.Generate(kind)
			if err != nil {
				t.Fatal(err)
			}
			other, _ := keys.Generate(kind)
			for _, pass := range [][]byte{nil, {}, []byte("correct horse")} {
				if testing.Short() && len(pass) > 0 {
					continue // scrypt takes its time
				}
				file, err := k.MarshalPEM(pass)
				if err != nil {
					t.Fatal(err)
				}
				if keys.Encrypted(file) != (pass != nil) {
					t.Errorf("Encrypted(%q) is wrong", pass)
				}
				back, err := keys.ParsePrivate(file, func() ([]byte, error) { return pass, nil })
				if err != nil {
					t.Fatalf("password %q: %v", pass, err)
				}
				pub, err := keys.ParsePublic(back.Public().MarshalPEM())
				if err != nil || pub.Fingerprint() != k.Public().Fingerprint() {
					t.Fatalf("public half: %v", err)
				}
				d := digest(pub, "message")
				sig, err := back.SignDigest(d)
				if err != nil {
					t.Fatal(err)
				}
				again, _ := k.SignDigest(d)
				if !bytes.Equal(sig, again) {
					t.Error("two signatures over one digest differ")
				}
				for who, want := range map[*keys.Public]bool{pub: true, other.Public(): false} {
					v, err := who.Verifier()
					if err != nil {
						t.Fatal(err)
					}
					err = v.VerifySignature(bytes.NewReader(sig), nil, options.WithDigest(d))
					if (err == nil) != want {
						t.Errorf("signature by own key %v: %v", want, err)
					}
				}
				bad := bytes.Clone(d)
				bad[0] ^= 1
				v, _ := pub.Verifier()
				if v.VerifySignature(bytes.NewReader(sig), nil, options.WithDigest(bad)) == nil {
					t.Error("signature accepted for another digest")
				}
			}
		})
	}
}

// Property: a wrong or missing password, the wrong half, and what is no key at
// all each get an error that says which.
func TestRefused(t *testing.T) {
	k, _ := keys.Generate(keys.ECDSA)
	locked, _ := k.MarshalPEM([]byte("right"))
	plain, _ := k.MarshalPEM(nil)
	if _, err := keys.ParsePrivate(locked, func() ([]byte, error) { return []byte("wrong"), nil }); !errors.Is(err, keys.ErrPassword) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := keys.ParsePrivate(locked, nil); !errors.Is(err, keys.ErrPassword) {
		t.Errorf("no password: %v", err)
	}
	if _, err := keys.ParsePrivate(k.Public().MarshalPEM(), nil); err == nil || !strings.Contains(err.Error(), "private one is needed") {
		t.Errorf("public for private: %v", err)
	}
	for _, private := range [][]byte{plain, locked} {
		if _, err := keys.ParsePublic(private); err == nil || !strings.Contains(err.Error(), "this is a private key") {
			t.Errorf("private for public: %v", err)
		}
	}
	for _, junk := range []string{"", "junk", string(k.Public().MarshalPEM()) + "more", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := keys.ParsePublic([]byte(junk)); err == nil {
			t.Errorf("accepted %q", junk)
		}
	}
	if _, err := keys.Generate("rsa"); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("rsa: %v", err)
	}
	if _, err := k.SignDigest(make([]byte, 31)); err == nil {
		t.Error("signed a short digest")
	}
}
