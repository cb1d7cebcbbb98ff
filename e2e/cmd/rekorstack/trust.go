//go:build rekorstack

package main

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/e2e/stack"
)

// authorities is everybody whom a client of this stack trusts.
type authorities struct {
	rekor    rekorLog
	rekor2   *rekor2
	ctLog    *ctLog
	fulcio   *chain
	tsa      *chain
	services *stack.Sigstore // their URLs
}

type rekorLog struct {
	url    string
	public crypto.PublicKey
}

// writeTrustedRoot writes trusted_root.json.
func (a *authorities) writeTrustedRoot(dir string, since time.Time) (path string, err error) {
	rekorID, err := keyID(a.rekor.public)
	if err != nil {
		return "", err
	}
	ctID, err := keyID(a.ctLog.public)
	if err != nil {
		return "", err
	}
	// C2SP signed-note: the ID covers the log's name, and is not cut to four bytes here.
	_, rekor2ID, err := note.KeyHash(rekor2Origin, a.rekor2.public)
	if err != nil {
		return "", err
	}
	log := func(url string, id []byte, public crypto.PublicKey) (string, *root.TransparencyLog) {
		return hex.EncodeToString(id), &root.TransparencyLog{
			BaseURL: url, ID: id, PublicKey: public, ValidityPeriodStart: since,
			HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		}
	}
	rekorLogs, ctLogs := map[string]*root.TransparencyLog{}, map[string]*root.TransparencyLog{}
	for _, l := range []struct {
		into   map[string]*root.TransparencyLog
		url    string
		id     []byte
		public crypto.PublicKey
	}{
		{rekorLogs, a.rekor.url, rekorID, a.rekor.public},
		{rekorLogs, a.rekor2.url, rekor2ID, a.rekor2.public},
		{ctLogs, a.ctLog.url, ctID, a.ctLog.public},
	} {
		id, entry := log(l.url, l.id, l.public)
		l.into[id] = entry
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: a.fulcio.root(), Intermediates: a.fulcio.certs[:1],
			ValidityPeriodStart: since, URI: a.services.FulcioURL,
		}},
		ctLogs,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: a.tsa.root(), Leaf: a.tsa.certs[0],
			ValidityPeriodStart: since, URI: a.services.TSAURL,
		}},
		rekorLogs)
	if err != nil {
		return "", err
	}
	return writeIndented(filepath.Join(dir, stack.TrustedRootName), trusted)
}

// writeSigningConfig writes signing_config.json. A client that takes one log of those that it lists takes the newest
// kind that it knows.
func (a *authorities) writeSigningConfig(dir string, since time.Time) (path string, err error) {
	service := func(url string, version uint32) root.Service {
		return root.Service{URL: url, MajorAPIVersion: version, ValidityPeriodStart: since, Operator: "modseal.test"}
	}
	one := root.ServiceConfiguration{Selector: 1} // ANY
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02,
		[]root.Service{service(a.services.FulcioURL, 1)},
		[]root.Service{service(a.services.IssuerURL, 1)},
		[]root.Service{service(a.rekor.url, 1), service(a.rekor2.url, 2)}, one,
		[]root.Service{service(a.services.TSAURL, 1)}, one)
	if err != nil {
		return "", err
	}
	return writeIndented(filepath.Join(dir, stack.SigningConfigName), config)
}

// keyID is the ID of a log without a name: SHA-256 over its public key (RFC 6962, section 3.2).
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(der)
	return id[:], nil
}

func writeIndented(path string, v json.Marshaler) (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, append(data, '\n'), 0o644)
}
