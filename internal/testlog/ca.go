package testlog

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"time"
)

// A CA issues certificates as Fulcio does: ten minutes long, with an e-mail
// address and the OIDC issuer who vouches for it.
type CA struct {
	Certificate *x509.Certificate
	name        string
}

// fulcioIssuer is the certificate extension with the OIDC issuer, by
// docs/oid-info.md in github.com/sigstore/fulcio.
func fulcioIssuer(issuer string) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: must(asn1.MarshalWithParams(issuer, "utf8"))}
}

// NewCA is the authority that a name stands for.
func NewCA(name string) *CA {
	key := Key("ca " + name)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: Epoch().AddDate(-1, 0, 0), NotAfter: Epoch().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(nil, template, template, &key.PublicKey, key))
	return &CA{Certificate: must(x509.ParseCertificate(der)), name: name}
}

// Issue gives a signer a certificate that is valid for ten minutes from then.
func (ca *CA) Issue(email, issuer string, from time.Time) *Signer {
	key := Key("holder " + email)
	return &Signer{Key: key, PEM: ca.issue(&key.PublicKey, email, issuer, from)}
}

func (ca *CA) issue(key *ecdsa.PublicKey, email, issuer string, from time.Time) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: from.Add(10 * time.Minute),
		EmailAddresses: []string{email}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{fulcioIssuer(issuer)},
	}
	der := must(x509.CreateCertificate(nil, template, ca.Certificate, key, Key("ca "+ca.name)))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
