package testlog

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/digitorus/timestamp"
)

// A TSA is a time-stamping authority (RFC 3161): a root and a leaf. What it
// signs is not reproducible: the library draws a serial number.
type TSA struct {
	Root, Leaf *x509.Certificate
	Now        func() time.Time // of what it serves; nil is Epoch
	name       string
}

// NewTSA is the authority that a name stands for. Its certificates have been
// valid since 2000 for a hundred years.
func NewTSA(name string) *TSA {
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: from.AddDate(100, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, leafKey := Key("tsa "+name), Key("tsa leaf "+name)
	root := must(x509.ParseCertificate(must(x509.CreateCertificate(nil, template, template, &rootKey.PublicKey, rootKey))))
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name + " leaf"}, NotBefore: from, NotAfter: from.AddDate(100, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
		// RFC 3161, Section 2.3: this extended key usage alone, and critical
		ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
			Value: must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})),
		}},
	}
	der := must(x509.CreateCertificate(nil, leaf, root, &leafKey.PublicKey, rootKey))
	return &TSA{Root: root, Leaf: must(x509.ParseCertificate(der)), name: name}
}

// Stamp is a time-stamp response that says when data was there.
func (t *TSA) Stamp(data []byte, at time.Time) []byte {
	request := must(timestamp.ParseRequest(must(timestamp.CreateRequest(bytes.NewReader(data), &timestamp.RequestOptions{Hash: crypto.SHA256}))))
	stamp := timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage, Time: at, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}
	return must(stamp.CreateResponseWithOpts(t.Leaf, Key("tsa leaf "+t.name), crypto.SHA256))
}

// ServeHTTP implements http.Handler: it stamps what it is asked to.
func (t *TSA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	q, err := timestamp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	at := Epoch()
	if t.Now != nil {
		at = t.Now()
	}
	stamp := &timestamp.Timestamp{
		HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: at, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
		AddTSACertificate: true,
	}
	a := &Answer{Status: 201, Header: http.Header{"Content-Type": {"application/timestamp-reply"}}, Body: must(stamp.CreateResponseWithOpts(t.Leaf, Key("tsa leaf "+t.name), crypto.SHA256))}
	a.send(w)
}
