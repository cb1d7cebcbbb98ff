package trust

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// Contents are what a trusted_root.json names.
type Contents struct {
	Logs   []Log       `json:"logs"`   // Rekor, sorted by start
	Fulcio []Authority `json:"fulcio"` // issuers of signers' certificates
	TSAs   []Authority `json:"tsas"`   // RFC 3161 timestamp authorities
	CTLogs []Log       `json:"ctLogs"` // of Fulcio's certificates, sorted by start
}

// Log is a trusted transparency log.
type Log struct {
	BaseURL string    `json:"baseURL"`
	LogID   string    `json:"logID"` // hex
	Key     string    `json:"key"`   // "ECDSA P-256", "Ed25519", "RSA 2048"
	From    time.Time `json:"from"`
	To      time.Time `json:"to,omitzero"` // zero: no end yet
}

// Authority is a trusted certificate authority. Its own certificates bound it
// too: NotAfter is when the first certificate of its chain ends.
type Authority struct {
	URI      string    `json:"uri"`
	Subject  string    `json:"subject"` // of the last certificate before those that it issues
	SHA256   string    `json:"sha256"`  // of that certificate, hex
	From     time.Time `json:"from"`
	To       time.Time `json:"to,omitzero"`
	NotAfter time.Time `json:"notAfter"`
}

// Describe reads a trusted_root.json (media type version 0.1).
func Describe(file []byte) (*Contents, error) {
	tr, err := root.NewTrustedRootFromJSON(file)
	if err != nil {
		return nil, fmt.Errorf("trusted root: %w", err)
	}
	c := &Contents{Logs: describeLogs(tr.RekorLogs()), CTLogs: describeLogs(tr.CTLogs()), Fulcio: []Authority{}, TSAs: []Authority{}}
	for _, ca := range tr.FulcioCertificateAuthorities() {
		if f, ok := ca.(*root.FulcioCertificateAuthority); ok {
			c.Fulcio = append(c.Fulcio, describeAuthority(f.URI, f.ValidityPeriodStart, f.ValidityPeriodEnd, append([]*x509.Certificate{f.Root}, f.Intermediates...)))
		}
	}
	for _, ca := range tr.TimestampingAuthorities() {
		if t, ok := ca.(*root.SigstoreTimestampingAuthority); ok {
			c.TSAs = append(c.TSAs, describeAuthority(t.URI, t.ValidityPeriodStart, t.ValidityPeriodEnd, append(append([]*x509.Certificate{t.Root}, t.Intermediates...), t.Leaf)))
		}
	}
	for _, list := range [][]Authority{c.Fulcio, c.TSAs} {
		slices.SortStableFunc(list, func(a, b Authority) int { return a.From.Compare(b.From) })
	}
	return c, nil
}

func describeLogs(logs map[string]*root.TransparencyLog) []Log {
	out := make([]Log, 0, len(logs))
	for _, l := range logs {
		out = append(out, Log{BaseURL: l.BaseURL, LogID: hex.EncodeToString(l.ID), Key: keyName(l.PublicKey), From: l.ValidityPeriodStart.UTC(), To: end(l.ValidityPeriodEnd)})
	}
	slices.SortFunc(out, func(a, b Log) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.LogID, b.LogID)) })
	return out
}

func keyName(key any) string {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	}
	return fmt.Sprintf("%T", key)
}

// describeAuthority describes a chain, the root first; there may be nils in it.
func describeAuthority(uri string, from, to time.Time, chain []*x509.Certificate) Authority {
	a := Authority{URI: uri, From: from.UTC(), To: end(to)}
	for _, c := range chain {
		if c == nil {
			continue
		}
		if a.NotAfter.IsZero() || c.NotAfter.Before(a.NotAfter) {
			a.NotAfter = c.NotAfter.UTC()
		}
	}
	// Intermediates come leaf first, as in a certificate chain (x509.CertChain
	// of the trusted root), so the issuer is the first after the root.
	issuer := chain[0]
	if len(chain) > 1 && chain[1] != nil {
		issuer = chain[1]
	}
	if last := chain[len(chain)-1]; last != nil && !last.IsCA {
		issuer = last // a timestamp authority's own
	}
	if issuer != nil {
		sum := sha256.Sum256(issuer.Raw)
		a.Subject, a.SHA256 = issuer.Subject.String(), hex.EncodeToString(sum[:])
	}
	return a
}

func end(t time.Time) time.Time {
	if t.IsZero() || t.Unix() == 0 {
		return time.Time{}
	}
	return t.UTC()
}
