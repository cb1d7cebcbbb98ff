package keys_test

import (
	"bytes"
	"encoding/pem"
	"testing"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
)

// Property: no file makes the parsers of keys panic. A public key that is accepted has
// one encoding, which is parsed as the same key; a private key signs for its public
// half.
func FuzzKeys(f *testing.F) {
	private := testlog.NewSigner("alice").PrivatePEM()
	k, err := keys.ParsePrivate(private, nil)
	if err != nil {
		f.Fatal(err)
	}
	ed, err := keys.Generate(keys.Ed25519)
	if err != nil {
		f.Fatal(err)
	}
	edPrivate, err := ed.MarshalPEM(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{private, k.Public().MarshalPEM(), edPrivate, ed.Public().MarshalPEM(), bytes.Replace(private, []byte("PRIVATE"), []byte("PUBLIC"), 2), {},
		bytes.Repeat([]byte("-----BEGIN PUBLIC KEY-----\n"), 1000), append(k.Public().MarshalPEM(), k.Public().MarshalPEM()...)} {
		f.Add(seed)
	}
	iv, data := make([]byte, 16), make([]byte, 32)
	f.Add(encryptedKey(f, pbkdf2OID(), pbkdf2{iv, 1}, iv, data))
	f.Add(encryptedKey(f, pbkdf2OID(), pbkdf2{iv, 1}, iv[:7], data[:5]))
	f.Add(encryptedKey(f, scryptOID(), scrypt{iv, 2, 1, 1}, iv, data))
	f.Add(encryptedKey(f, scryptOID(), scrypt{iv, 1 << 40, 1 << 40, 1}, iv, data))
	f.Fuzz(func(t *testing.T, file []byte) {
		if p, err := keys.ParsePublic(file); err == nil {
			again, err := keys.ParsePublic(p.MarshalPEM())
			if err != nil || again.Fingerprint() != p.Fingerprint() {
				t.Errorf("parsed again: %v", err)
			}
		}
		// no more work than the limits allow, whatever the file asks for
		if block, _ := pem.Decode(file); block != nil && block.Type == "ENCRYPTED PRIVATE KEY" && len(block.Bytes) < 400 && bytes.Contains(block.Bytes, []byte("\x02\x01\x01")) {
			_, _ = keys.ParsePrivate(file, password)
		}
		if p, err := keys.ParsePrivate(file, nil); err == nil { // none that is encrypted: that takes a tenth of a second
			if p.Public() == nil || p.Public().String() == "" {
				t.Error("a private key without a public one")
			}
		}
	})
}
