package keys_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"

	"github.com/modseal/modseal/internal/keys"
)

func password() ([]byte, error) { return []byte("x"), nil }

// encryptedKey is a PKCS#8 file with these parts, whatever they are.
func encryptedKey(t testing.TB, kdf asn1.ObjectIdentifier, parameters any, iv, data []byte) []byte {
	t.Helper()
	der := func(v any) []byte {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	algorithm := func(oid asn1.ObjectIdentifier, parameters any) pkix.AlgorithmIdentifier {
		return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: der(parameters)}}
	}
	scheme := struct{ KDF, Cipher pkix.AlgorithmIdentifier }{algorithm(kdf, parameters), algorithm(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, iv)}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{algorithm(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, scheme), data})})
}

func pbkdf2OID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12} }
func scryptOID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
}

type pbkdf2 struct {
	Salt       []byte
	Iterations int
}

type scrypt struct {
	Salt    []byte
	N, R, P int
}

// Property: keys that other tools encrypt are read with their password; those that ask
// for more work or memory than is stated are refused before any of it is done, and those
// of which the parts do not fit together are errors.
func TestEncryptedKeys(t *testing.T) {
	for _, file := range opensslKeys() {
		k, err := keys.ParsePrivate([]byte(file), password)
		if err != nil || k.Public().String() != "sha256:f9369304339332c90b52f232f29717e26f2c0baeb41e0b9174e96473c99e7055" {
			t.Errorf("%v", err)
		}
		block, _ := pem.Decode([]byte(file))
		for n := range block.Bytes { // cut at every byte
			if k, err := keys.ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes[:n]}), password); k != nil || err == nil {
				t.Fatalf("cut at %d: accepted", n)
			}
		}
	}
	iv, data := make([]byte, 16), make([]byte, 32)
	for name, c := range map[string]struct {
		file []byte
		over bool // the limit
	}{
		"at the iterations":  {encryptedKey(t, pbkdf2OID(), pbkdf2{iv, 10_000_000}, iv, data), false},
		"iterations":         {encryptedKey(t, pbkdf2OID(), pbkdf2{iv, 10_000_001}, iv, data), true},
		"no iterations":      {encryptedKey(t, pbkdf2OID(), pbkdf2{iv, 0}, iv, data), false},
		"at scrypt's memory": {encryptedKey(t, scryptOID(), scrypt{iv, 1 << 16, 8, 1}, iv, data), false},
		"scrypt's memory":    {encryptedKey(t, scryptOID(), scrypt{iv, 1 << 17, 8, 1}, iv, data), true},
		"scrypt's blocks":    {encryptedKey(t, scryptOID(), scrypt{iv, 2, 1 << 30, 1}, iv, data), true},
		"scrypt's threads":   {encryptedKey(t, scryptOID(), scrypt{iv, 2, 1, 17}, iv, data), true},
		"no blocks":          {encryptedKey(t, scryptOID(), scrypt{iv, 2, 0, 1}, iv, data), false},
		"a short vector":     {encryptedKey(t, pbkdf2OID(), pbkdf2{iv, 1}, iv[:15], data), false},
		"a long vector":      {encryptedKey(t, pbkdf2OID(), pbkdf2{iv, 1}, append(iv, 0), data), false},
		"half a block":       {encryptedKey(t, pbkdf2OID(), pbkdf2{iv, 1}, iv, data[:24]), false},
		"no data":            {encryptedKey(t, pbkdf2OID(), pbkdf2{iv, 1}, iv, nil), false},
		"another derivation": {encryptedKey(t, asn1.ObjectIdentifier{1, 2, 3}, pbkdf2{iv, 1}, iv, data), false},
	} {
		k, err := keys.ParsePrivate(c.file, password)
		over := errors.Is(err, keys.ErrUnsupported)
		if k != nil || err == nil || over != c.over {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// opensslKeys are one key as OpenSSL 3 encrypts it with the password x (openssl pkcs8 -topk8):
// with -v2 aes-256-cbc, -v2 des3 and -scrypt.
func opensslKeys() []string {
	return []string{`-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiOaNUwVbamEAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGXRnfAN9Qsbbt15wIoMjA8EgZBz
t/ApG1a0Jni/KumCH60feu/KMwbctEfHSVbQkzqLKaTMQ1OLASo6oqP4BNe9/8mu
XpAhabbLJd7+cuHAefrmVw5OjDlkn836vlvp80euauBunw4CkLgJB1fY8CaRftG0
HpO4Fx9w+WGp6L+ElgbkXBKz9+ITblRD9zoB7GjoM7CqiMM+yVUobx+iDgjjWgc=
-----END ENCRYPTED PRIVATE KEY-----
`,
		`-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAiXTzyhM8wRXQICCAAw
DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIR0sJsrMtSzMEgZAoQd9sjlNRZOST
4c2VZHPzUp623kmOLYP1RKx0ljsBRBVI60X8EnFpWcjZFzyFVedD/N54dK1aRHs3
tj4BnNG+VAWo4mMTOGjeNqjaXIPoixEB02npO5IFKotcFpl4e/XtJpSjH/WJ/AgO
2/8Wq4XVEU43YBDkG6MSr2orDXRGSpjO+vciEPxjVDaX3yf5HQo=
-----END ENCRYPTED PRIVATE KEY-----
`,
		`-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAhBFHI6BvbQ5wICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBClMBR5Zu2BI/MuHkrg1xHmBIGQOQyl0CCbJsKD
NBXsEKmfpPJF2B2MtmGr0DtM/m9j27SKSWATMBEtGx8Qt7VM1sseBos2v4K/tawF
LAkPwJ0n1VaVp/H/0QA+kNwA4XsSp8691ZO2FvbRsbsfqBJ0p36RJooNCx+AKXz1
ib26I9jbthjX5qBQUCZMzdsOUDezbdhpA83TyiwPegzGZwbXj24E
-----END ENCRYPTED PRIVATE KEY-----
`}
}

// Property: a key file that is cut anywhere is no key, but for the line end after it.
func TestTruncatedKeys(t *testing.T) {
	k, err := keys.Generate(keys.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := k.MarshalPEM([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := k.MarshalPEM(nil)
	if err != nil {
		t.Fatal(err)
	}
	public := k.Public().MarshalPEM()
	for _, file := range [][]byte{plain, public, sealed} {
		for n := range len(bytes.TrimRight(file, "\n")) {
			if k, err := keys.ParsePrivate(file[:n], password); k != nil || err == nil {
				t.Fatalf("%.30q cut at %d of %d: a private key", file, n, len(file))
			}
			if k, err := keys.ParsePublic(file[:n]); k != nil || err == nil {
				t.Fatalf("%.30q cut at %d of %d: a public key", file, n, len(file))
			}
		}
	}
}

// Property: an RSA key may have so many bits and not one more.
func TestRSALimit(t *testing.T) {
	for bits, ok := range map[uint]bool{keys.MaxRSA: true, keys.MaxRSA + 1: false} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		_, err := keys.NewPublic(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
		if ok != (err == nil) || !ok && !errors.Is(err, keys.ErrUnsupported) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}
