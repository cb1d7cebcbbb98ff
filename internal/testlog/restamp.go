package testlog

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"time"

	"github.com/digitorus/pkcs7"
)

// Restamp makes a time stamp again: it says the same, is signed by a signer who says that he
// is the holder of a certificate, and has these certificates beside it.
func Restamp(stamp []byte, signer crypto.Signer, holder *x509.Certificate, beside ...*x509.Certificate) []byte {
	return restamp(stamp, 1, signer, holder, beside...)
}

// RestampTwice makes a time stamp again that is signed twice.
func RestampTwice(stamp []byte, signer crypto.Signer, holder *x509.Certificate) []byte {
	return restamp(stamp, 2, signer, holder, holder)
}

func restamp(stamp []byte, times int, signer crypto.Signer, holder *x509.Certificate, beside ...*x509.Certificate) []byte {
	var response struct {
		Status asn1.RawValue
		Token  asn1.RawValue
	}
	if _, err := asn1.Unmarshal(stamp, &response); err != nil {
		panic(err)
	}
	signed := must(pkcs7.NewSignedData(must(pkcs7.Parse(response.Token.FullBytes)).Content))
	signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	signed.SetContentType(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}) // id-ct-TSTInfo
	signed.GetSignedData().Version = 3
	for range times {
		if err := signed.AddSigner(holder, signer, pkcs7.SignerInfoConfig{SkipCertificates: true}); err != nil {
			panic(err)
		}
	}
	for _, c := range beside {
		signed.AddCertificate(c)
	}
	response.Token = asn1.RawValue{FullBytes: must(signed.Finish())}
	return must(asn1.Marshal(response))
}

// LeafKey is the key that the authority stamps with.
func (t *TSA) LeafKey() crypto.Signer { return Key("tsa leaf " + t.name) }

// HugeKey is an RSA key of so many bits, and a certificate of it by a name that the
// authority of that name did not issue. Nobody knows the private key: what it signs does not
// verify.
func HugeKey(bits int, issuer, subject string, serial int64) (crypto.Signer, *x509.Certificate) {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	key := hugeKey{&rsa.PublicKey{N: n.Sub(n, big.NewInt(1)), E: 65537}}
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: subject}, NotBefore: from, NotAfter: from.AddDate(100, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	by := &x509.Certificate{Subject: pkix.Name{CommonName: issuer}}
	return key, must(x509.ParseCertificate(must(x509.CreateCertificate(nil, template, by, key.public, Key("of nobody")))))
}

type hugeKey struct{ public *rsa.PublicKey }

// Public implements crypto.Signer.
func (k hugeKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer.
func (k hugeKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return new(big.Int).Sub(k.public.N, big.NewInt(2)).Bytes(), nil
}
