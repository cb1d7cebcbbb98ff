// Package sign makes signatures that Sigstore's tools verify, each handed out as
// a Sigstore bundle, version 0.3. Three things are chosen apart from each other:
//
//	who signs        a key (ByKey), or an identity with certificates of a Fulcio (Keyless)
//	where it is kept a Rekor v1 or a Rekor v2 (OpenLog)
//	who says when    any number of RFC 3161 timestamp authorities
//
// Nothing is handed out that the trust material does not verify, so what is
// signed here is what an enclave with the same trust accepts.
//
// Requests to Fulcio, to timestamp authorities and to Rekor v2 are made by
// sigstore-go's package sign; Rekor v1 is spoken to by package rekor, which can
// search it.
package sign

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/trust"
)

var (
	// ErrNeedsTimestamp says that a signature would have no proven time.
	ErrNeedsTimestamp = errors.New("a Rekor v2 does not say when it logged an entry: name a timestamp authority with --timestamp-server-url")
	// ErrOther says that a Sigstore bundle is not what is asked for: of another
	// signer, over something else, or of another log.
	ErrOther = errors.New("not this signature")
)

// Content is what is signed: the artifact with this SHA-256 or, if there is a
// statement, that.
type Content struct {
	SHA256    [32]byte
	Statement []byte // in-toto, JSON
}

// Signed is a verified signature.
type Signed struct {
	Sigstore []byte // the Sigstore bundle, JSON
	LogIndex uint64
	Existed  bool // the log had it already
}

// Options say how a [Service] signs.
type Options struct {
	Signer     Signer
	Log        Log
	Timestamps []string        // URLs of timestamp authorities; each stamps every new signature
	Trust      *trust.Material // what all that is made must verify with
	Transport  http.RoundTripper
}

// A Service signs. It is safe for concurrent use.
type Service struct {
	Options
	verifier *evidence.Verifier
}

// New refuses what could not be verified: a Rekor v2 without timestamps, and an
// Ed25519 key there.
func New(o Options) (*Service, error) {
	var known []*keys.Public
	if k, ok := o.Signer.(keySigner); ok {
		known = append(known, k.key.Public())
	}
	if o.Log.V2() {
		if len(o.Timestamps) == 0 {
			return nil, ErrNeedsTimestamp
		}
		if len(known) > 0 && known[0].Hash() != hashOfArtifacts {
			return nil, fmt.Errorf("%w: a Rekor v2 takes Ed25519 keys only in a form that a statement is not signed in; use an ECDSA P-256 key", keys.ErrUnsupported)
		}
	}
	v, err := evidence.NewVerifier(o.Trust.Sigstore, known...)
	if err != nil {
		return nil, err
	}
	o.Transport = orUsual(o.Transport)
	return &Service{Options: o, verifier: v}, nil
}

// Credential is what to sign with now. A certificate that no trusted authority
// issued is an error: what is logged with it would stay, and be worth nothing.
func (s *Service) Credential(ctx context.Context) (*Credential, error) {
	c, err := s.Signer.Credential(ctx)
	if err != nil || c.Certificate == nil {
		return c, err
	}
	// at its beginning, as clocks differ; and its SCT is verified with the rest
	if _, err := verify.VerifyLeafCertificate(c.Certificate.NotBefore, c.Certificate, s.Trust.Sigstore); err != nil {
		return nil, fmt.Errorf("the certificate for %s is of no authority that is trusted here (--trusted-root)", c.Name())
	}
	return c, nil
}

// draft is a signature that is not verified yet.
type draft struct {
	Content
	by    *Credential
	entry evidence.Entry
	claim evidence.Claim // of a draft that is not logged: who signed what
}

// Find looks for this signer's signature of the content in the log. It is nil if
// there is none, if the log can't be searched, and if timestamps are asked for
// that would come too late for a certificate.
func (s *Service) Find(ctx context.Context, c Content) (*Signed, error) {
	by, err := s.Credential(ctx)
	if err != nil {
		return nil, err
	}
	if by.Certificate != nil && len(s.Timestamps) > 0 {
		return nil, nil
	}
	found, err := s.Log.find(ctx, c, by)
	if err != nil {
		return nil, err
	}
	for i := range found {
		d := &draft{Content: c, by: by, entry: found[i]}
		if c.Statement != nil {
			d.entry.AddStatement(c.Statement)
		}
		if err := s.stamp(ctx, d); err != nil {
			return nil, err
		}
		if out, err := s.verify(d); err == nil {
			out.Existed = true
			return out, nil
		}
	}
	return nil, nil
}

// Sign signs the content, has it stamped and logged, and verifies the result.
// Signatures by a key in a Rekor v1 are always the same, so that no second entry
// is made of one.
func (s *Service) Sign(ctx context.Context, c Content) (*Signed, error) {
	for try := 1; ; try++ {
		out, err := s.sign(ctx, c)
		// Rekor v2 does not hand an entry out again. It has this one because the
		// answer to an earlier request was lost; another signature is as good.
		if errors.Is(err, errConflict) && try < 3 {
			continue
		}
		return out, err
	}
}

func (s *Service) sign(ctx context.Context, c Content) (*Signed, error) {
	by, err := s.Credential(ctx)
	if err != nil {
		return nil, err
	}
	d := &draft{Content: c, by: by}
	if err := d.sign(s.Log.V2()); err != nil {
		return nil, err
	}
	if err := s.stamp(ctx, d); err != nil {
		return nil, err
	}
	existed, err := s.Log.add(ctx, d)
	if err != nil {
		return nil, err
	}
	out, err := s.verify(d)
	if err != nil {
		return nil, fmt.Errorf("what was logged does not verify here: %w", err)
	}
	out.Existed = existed
	return out, nil
}

// sign makes the signature; anew if it must differ from every other.
func (d *draft) sign(anew bool) (err error) {
	d.claim = evidence.Claim{Key: d.by.Key.Public(), Certificate: d.by.Certificate}
	digest, message := d.SHA256, []byte(nil)
	if d.Statement != nil {
		message = dsse.PAE(evidence.StatementMediaType, d.Statement)
		digest = sha256Of(message)
	}
	switch {
	case anew:
		d.claim.Signature, err = d.by.Key.SignAnew(digest[:])
	case d.Statement != nil:
		d.claim.Signature, err = d.by.Key.SignMessage(message)
	default:
		d.claim.Signature, err = d.by.Key.SignDigest(digest[:])
	}
	if d.Statement != nil {
		d.entry.Envelope = &bundles.Envelope{PayloadType: evidence.StatementMediaType, Payload: d.Statement, Signature: d.claim.Signature}
	} else {
		d.claim.Digest = evidence.SHA256(d.SHA256)
	}
	return err
}

// Read verifies a Sigstore bundle that was made before. It is ErrOther if it is
// not this signer's over the content, in a log of this generation.
func (s *Service) Read(ctx context.Context, file []byte, c Content) (*Signed, error) {
	by, err := s.Credential(ctx)
	if err != nil {
		return nil, err
	}
	all, err := evidence.ReadBundle(file)
	if err != nil {
		return nil, err
	}
	d := &draft{Content: c, by: by, entry: all[0].Entry}
	if err := d.check(all[0].Claim); err != nil {
		return nil, err
	}
	if len(all) != 1 || !all[0].Proven || d.entry.V2 != s.Log.V2() {
		return nil, fmt.Errorf("%w: it was not logged in a Rekor v%s", ErrOther, generation(s.Log))
	}
	have := evidence.VerifiedStamps(d.entry.Timestamps, all[0].Claim.Signature, s.Trust.Sigstore)
	if want := len(s.Timestamps); have < want {
		return nil, fmt.Errorf("%w: it has %d timestamps by authorities that are trusted here, and %d are asked for", ErrOther, have, want)
	}
	out, err := s.verify(d)
	if err != nil {
		return nil, err
	}
	out.Existed = true
	return out, nil
}

// check demands that a claim is the draft's signer's about its content.
func (d *draft) check(c *evidence.Claim) error {
	if !d.by.is(c) {
		return fmt.Errorf("%w: it is by %s", ErrOther, nameOf(c))
	}
	if e := d.entry.Envelope; d.Statement == nil && c.Digest != evidence.SHA256(d.SHA256) || d.Statement != nil && (e == nil || string(e.Payload) != string(d.Statement)) {
		return fmt.Errorf("%w: it is over something else", ErrOther)
	}
	return nil
}

// verify makes the Sigstore bundle of a logged draft and verifies it, so that
// nothing is handed out that an enclave would refuse.
func (s *Service) verify(d *draft) (*Signed, error) {
	claim, err := d.entry.Claim()
	if err != nil {
		return nil, err
	}
	if err := d.check(claim); err != nil {
		return nil, fmt.Errorf("the log's entry is not what was asked of it: %w", err)
	}
	open := s.Trust.OpenRekorV1
	if d.entry.V2 {
		open = s.Trust.OpenRekorV2
	}
	if _, err := open(d.entry.LogID, d.entry.Checkpoint); err != nil {
		return nil, err
	}
	if _, err := s.verifier.Verify(&d.entry, claim); err != nil {
		return nil, err
	}
	out := &Signed{LogIndex: d.entry.LogIndex}
	if d.entry.V2 {
		out.LogIndex = d.entry.Inclusion.Index
	}
	out.Sigstore, err = d.entry.MarshalSigstore()
	return out, err
}

// is tells whether a claim is by the holder of the credential: by the same key,
// or by the same identity of the same issuer with whatever certificate.
func (c *Credential) is(claim *evidence.Claim) bool {
	if c.Certificate == nil || claim.Certificate == nil {
		return c.Certificate == nil && claim.Certificate == nil && c.Key.Public().Fingerprint() == claim.Key.Fingerprint()
	}
	ours, err := certificate.SummarizeCertificate(c.Certificate)
	if err != nil || ours.SubjectAlternativeName == "" {
		return false
	}
	theirs, err := certificate.SummarizeCertificate(claim.Certificate)
	return err == nil && ours.SubjectAlternativeName == theirs.SubjectAlternativeName && ours.Issuer == theirs.Issuer
}

// nameOf says whose a claim claims to be.
func nameOf(c *evidence.Claim) string {
	if c.Certificate == nil {
		return "key " + c.Key.String()
	}
	return nameOfCertificate(c.Certificate)
}

func nameOfCertificate(c *x509.Certificate) string {
	s, err := certificate.SummarizeCertificate(c)
	if err != nil {
		return "a certificate that can't be read"
	}
	return fmt.Sprintf("identity %.200q of %.200q", s.SubjectAlternativeName, s.Issuer)
}

// subjectOf is the identity in a certificate, "" if it can't be read.
func subjectOf(c *x509.Certificate) string {
	s, err := certificate.SummarizeCertificate(c)
	if err != nil {
		return ""
	}
	return s.SubjectAlternativeName
}
