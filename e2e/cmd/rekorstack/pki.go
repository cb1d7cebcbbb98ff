//go:build rekorstack

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"time"
)

// clockSkew is how long before now certificates and trust begin to be valid.
const clockSkew = time.Hour

// chain is a key with the certificates that speak for it: its own first, the root last.
type chain struct {
	key   *ecdsa.PrivateKey
	certs []*x509.Certificate
}

// newFulcioChain makes an intermediate authority that may issue certificates for code signing, below a root.
func newFulcioChain() (*chain, error) {
	return newChain("fulcio", &x509.Certificate{
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
}

// newTSAChain makes a certificate for timestamps, below a root. RFC 3161, section 2.3, wants its extended key usage
// critical, which crypto/x509 never makes it.
func newTSAChain() (*chain, error) {
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	return newChain("timestamp authority", &x509.Certificate{
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	})
}

func newChain(name string, issued *x509.Certificate) (*chain, error) {
	now := time.Now()
	subject := func(cn string) pkix.Name {
		return pkix.Name{CommonName: name + " " + cn, Organization: []string{"modseal.test"}}
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: subject("root"),
		NotBefore: now.Add(-clockSkew), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root, err = issue(root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	issued.SerialNumber, issued.Subject = big.NewInt(2), subject("issued")
	issued.NotBefore, issued.NotAfter = root.NotBefore, now.AddDate(5, 0, 0)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if issued, err = issue(issued, root, &key.PublicKey, rootKey); err != nil {
		return nil, err
	}
	return &chain{key: key, certs: []*x509.Certificate{issued, root}}, nil
}

func issue(template, parent *x509.Certificate, public *ecdsa.PublicKey, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// root is the last certificate, which nothing vouches for.
func (c *chain) root() *x509.Certificate { return c.certs[len(c.certs)-1] }

// writeCerts writes certificates to a PEM file, in their order.
func writeCerts(path string, certs ...*x509.Certificate) error {
	var data []byte
	for _, cert := range certs {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return os.WriteFile(path, data, 0o644)
}

// writeKey writes a private key to a file: PKCS #8, PEM.
func writeKey(path string, key any) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// writePublicKey writes a public key to a file: PKIX, PEM.
func writePublicKey(path string, key any) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644)
}
