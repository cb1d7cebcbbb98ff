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
	dir      string     // for what is written
	since    time.Time  // when all keys but those of later shards begin to be valid
	rekors   []rekorLog // the shards, the active one last
	rekor2   *rekor2
	ctLog    *ctLog
	fulcio   *chain
	tsa      *chain
	services *stack.Sigstore // their URLs
}

// rekorLog is a shard of Rekor v1.
type rekorLog struct {
	url    string
	public crypto.PublicKey
	since  time.Time
	until  time.Time // zero for the active one
}

// rotate retires the active shard's key. Times are whole seconds, as those of the log's entries are: in the one of the rotation
// both keys are good.
func (a *authorities) rotate(to rekorLog, now time.Time) {
	to.since = now.Truncate(time.Second)
	a.rekors[len(a.rekors)-1].until = to.since.Add(time.Second)
	a.rekors = append(a.rekors, to)
}

// writeTrustedRoot writes trusted_root.json.
func (a *authorities) writeTrustedRoot() (path string, err error) {
	ctID, err := keyID(a.ctLog.public)
	if err != nil {
		return "", err
	}
	// C2SP signed-note: the ID covers the log's name, and is not cut to four bytes here.
	_, rekor2ID, err := note.KeyHash(rekor2Origin, a.rekor2.public)
	if err != nil {
		return "", err
	}
	rekorLogs, ctLogs := map[string]*root.TransparencyLog{}, map[string]*root.TransparencyLog{}
	add := func(into map[string]*root.TransparencyLog, id []byte, l rekorLog) {
		into[hex.EncodeToString(id)] = &root.TransparencyLog{
			BaseURL: l.url, ID: id, PublicKey: l.public, ValidityPeriodStart: l.since, ValidityPeriodEnd: l.until,
			HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		}
	}
	for _, l := range a.rekors {
		id, err := keyID(l.public)
		if err != nil {
			return "", err
		}
		add(rekorLogs, id, l)
	}
	add(rekorLogs, rekor2ID, rekorLog{url: a.rekor2.url, public: a.rekor2.public, since: a.since})
	add(ctLogs, ctID, rekorLog{url: a.ctLog.url, public: a.ctLog.public, since: a.since})
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: a.fulcio.root(), Intermediates: a.fulcio.certs[:1],
			ValidityPeriodStart: a.since, URI: a.services.FulcioURL,
		}},
		ctLogs,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: a.tsa.root(), Leaf: a.tsa.certs[0],
			ValidityPeriodStart: a.since, URI: a.services.TSAURL,
		}},
		rekorLogs)
	if err != nil {
		return "", err
	}
	return writeIndented(filepath.Join(a.dir, stack.TrustedRootName), trusted)
}

// writeSigningConfig writes signing_config.json. A client that takes one log of those that it lists takes the newest
// kind that it knows.
func (a *authorities) writeSigningConfig() (path string, err error) {
	service := func(url string, version uint32) root.Service {
		return root.Service{URL: url, MajorAPIVersion: version, ValidityPeriodStart: a.since, Operator: "modseal.test"}
	}
	one := root.ServiceConfiguration{Selector: 1} // ANY
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02,
		[]root.Service{service(a.services.FulcioURL, 1)},
		[]root.Service{service(a.services.IssuerURL, 1)},
		[]root.Service{service(a.rekors[0].url, 1), service(a.rekor2.url, 2)}, one,
		[]root.Service{service(a.services.TSAURL, 1)}, one)
	if err != nil {
		return "", err
	}
	return writeIndented(filepath.Join(a.dir, stack.SigningConfigName), config)
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
