package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/modseal/modseal/internal/keys"
)

// Verifier lets sigstore-go verify signed entries: the signature over the
// digest or the envelope, the signed entry timestamp, the inclusion proof, the
// checkpoint and RFC 3161 timestamps; and of a certificate its chain at each
// proven time and, if any CT log is trusted, its SCT. It does not say whose
// signature counts.
//
// Beyond sigstore-go it demands a signed entry timestamp of every entry of Rekor
// v1, an RFC 3161 timestamp of every entry of Rekor v2, a checkpoint of the tree
// that the proof is for, and that the entry was logged while the log's key was
// valid.
type Verifier struct {
	material      root.TrustedMaterial
	byKey, byCert *verify.Verifier
}

// ErrNoTime says that nothing proves when an entry was logged: a Rekor v2 signs no
// time.
var ErrNoTime = errors.New("no proven time: an entry of Rekor v2 needs an RFC 3161 timestamp")

// Signed is what a verified entry proves.
type Signed struct {
	// Time is when it was logged: of Rekor v1 as the log signed, of Rekor v2 the
	// earliest time stamp of the signature.
	Time        time.Time
	Certificate *certificate.Summary // nil for a bare key
}

// NewVerifier makes a verifier that knows these logs and authorities, and these
// keys. An entry by another bare key does not verify.
func NewVerifier(material root.TrustedMaterial, known ...*keys.Public) (*Verifier, error) {
	byHint := &knownKeys{keys: map[string]*keys.Public{}}
	for _, k := range known {
		byHint.keys[k.Hint()] = k
	}
	all := root.TrustedMaterialCollection{byHint, newOnceVerified(material)}
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	byKey, err := verify.NewVerifier(all, options...)
	if err != nil {
		return nil, err
	}
	if len(material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	byCert, err := verify.NewVerifier(all, options...)
	return &Verifier{material: material, byKey: byKey, byCert: byCert}, err
}

// knownKeys gives sigstore-go the verifier of a known key. Which algorithm a key
// signs with depends on what it signs, so the hint names both (hintFor).
type knownKeys struct {
	root.BaseTrustedMaterial
	keys map[string]*keys.Public
}

// hintFor names a key, and the digest algorithm of what it signed: "dsse" for an
// envelope, whose encoding is signed as a whole, or "prehashed" in Rekor v2, which
// takes nothing but digests.
func hintFor(e *Entry, c *Claim) string {
	switch {
	case c.Statement == nil:
		return c.Key.Hint() + " " + c.Digest.Algorithm
	case e.V2:
		return c.Key.Hint() + " prehashed"
	}
	return c.Key.Hint() + " dsse"
}

// PublicKeyVerifier implements root.TrustedMaterial.
func (k *knownKeys) PublicKeyVerifier(hint string) (root.TimeConstrainedVerifier, error) {
	name, algorithm, _ := strings.Cut(hint, " ")
	key, ok := k.keys[name]
	if !ok {
		return nil, errors.New("the key is not known")
	}
	v, err := keyVerifier(key, algorithm)
	if err != nil {
		return nil, err
	}
	return root.NewExpiringKey(v, time.Time{}, time.Time{}), nil
}

func keyVerifier(key *keys.Public, algorithm string) (signature.Verifier, error) {
	switch algorithm {
	case "dsse":
		return signature.LoadDefaultVerifier(key.Key()) // with pure Ed25519
	case "prehashed":
		return signature.LoadDefaultVerifier(key.Key(), options.WithED25519ph())
	}
	if _, ok := key.Key().(ed25519.PublicKey); ok && algorithm != "sha512" {
		return nil, errors.New("Ed25519 signs a digest only as Ed25519ph, whose digest is SHA-512")
	}
	return signature.LoadVerifierWithOpts(key.Key(), options.WithHash(algorithms[algorithm]), options.WithED25519ph())
}

// Verify verifies an entry that says c. That the claim is about the right thing
// is the caller's to compare (Claim.Digests).
func (v *Verifier) Verify(e *Entry, c *Claim) (*Signed, error) {
	if !e.V2 && len(e.SET) == 0 {
		return nil, errors.New("an entry of Rekor v1 without a signed entry timestamp")
	}
	if e.V2 && len(e.Timestamps) == 0 {
		return nil, ErrNoTime
	}
	pb, err := e.SigstoreBundle(c)
	if err != nil {
		return nil, err
	}
	verifier, kind := v.byCert, verify.WithoutIdentitiesUnsafe() // comparing it is the caller's policy
	if c.Certificate == nil {
		verifier, kind = v.byKey, verify.WithKey()
		pb.VerificationMaterial.Content = keyMaterial(hintFor(e, c))
	}
	if d := pb.GetDsseEnvelope(); d != nil {
		d.Signatures[0].Keyid = "" // nothing signs it, and one that is not the library's own for the key is refused
	}
	pb.VerificationMaterial.TlogEntries[0].InclusionProof.Checkpoint.Envelope = ownSignatures(e.Checkpoint)
	b, err := bundle.NewBundle(pb)
	if err != nil {
		return nil, err
	}
	result, err := verifier.Verify(b, verify.NewPolicy(artifact(c), kind))
	if err != nil {
		return nil, v.clearer(e, err)
	}
	if err := e.checkTree(); err != nil {
		return nil, err
	}
	s := &Signed{}
	if s.Time, err = e.provenTime(result); err != nil {
		return nil, err
	}
	if err := v.checkValidity(e, s.Time); err != nil {
		return nil, err
	}
	if c.Certificate != nil {
		if result.Signature == nil || result.Signature.Certificate == nil {
			return nil, errors.New("no verified certificate")
		}
		s.Certificate = result.Signature.Certificate
	}
	return s, nil
}

// artifact is what sigstore-go is to find signed: of a statement any of its
// digests, as the statement itself has it.
func artifact(c *Claim) verify.ArtifactPolicyOption {
	if c.Statement == nil {
		return verify.WithArtifactDigest(c.Digest.Algorithm, c.Digest.sum())
	}
	for _, s := range c.Statement.Subjects {
		if len(s.Digests) > 0 {
			sum, _ := hex.DecodeString(s.first.value) // newDigest read it
			return verify.WithArtifactDigest(s.first.algorithm, sum)
		}
	}
	return verify.WithArtifactDigest("", nil) // not reached: parseStatement found one
}

// provenTime is the earliest time at which the entry provably existed and was
// logged. sigstore-go judged the certificate at all of them.
func (e *Entry) provenTime(result *verify.VerificationResult) (time.Time, error) {
	if !e.V2 {
		return time.Unix(e.IntegratedTime, 0).UTC(), nil // the signed entry timestamp covers it
	}
	var earliest time.Time
	for _, t := range result.VerifiedTimestamps {
		if earliest.IsZero() || t.Timestamp.Before(earliest) {
			earliest = t.Timestamp.UTC()
		}
	}
	if earliest.IsZero() {
		return earliest, ErrNoTime
	}
	return earliest, nil
}

// checkValidity demands that the log's key was valid when the entry was logged.
// sigstore-go compares this only with what a signed entry timestamp says.
func (v *Verifier) checkValidity(e *Entry, t time.Time) error {
	log, ok := v.material.RekorLogs()[hex.EncodeToString(e.LogID[:])]
	if !ok {
		return errors.New("the log is not trusted")
	}
	const day = "2006-01-02T15:04:05Z07:00"
	switch start, end := log.ValidityPeriodStart, log.ValidityPeriodEnd; {
	case t.Before(start):
		return fmt.Errorf("logged at %s, and the log's key is valid only from %s", t.Format(day), start.UTC().Format(day))
	case !end.IsZero() && t.After(end):
		return fmt.Errorf("logged at %s, and the log's key was valid only until %s", t.Format(day), end.UTC().Format(day))
	}
	return nil
}

// clearer says in place of sigstore-go, for which such an entry of Rekor v1 is
// none, that the log's key was not valid at the time that the entry states.
func (v *Verifier) clearer(e *Entry, err error) error {
	if _, known := v.material.RekorLogs()[hex.EncodeToString(e.LogID[:])]; e.V2 || !known {
		return err
	}
	if window := v.checkValidity(e, time.Unix(e.IntegratedTime, 0).UTC()); window != nil {
		return window
	}
	return err
}

// checkTree demands that the checkpoint, whose signature has been verified, is
// of the very tree that the inclusion proof is for. Of Rekor v1 sigstore-go
// compares the root and not the size, of Rekor v2 neither: it takes both from the
// checkpoint.
func (e *Entry) checkTree() error {
	lines, tree := strings.SplitN(string(e.Checkpoint), "\n", 4), e.Inclusion.Tree
	if len(lines) != 4 || lines[1] != strconv.FormatUint(tree.Size, 10) || lines[2] != base64.StdEncoding.EncodeToString(tree.Root[:]) {
		return fmt.Errorf("the checkpoint is not of a tree of %d leaves with root %x, for which the entry is proven", tree.Size, tree.Root[:])
	}
	return nil
}

// ownSignatures leaves of a checkpoint's signatures those by the log itself,
// which is the one that its first line names (of Rekor v1 up to " - "):
// sigstore-go refuses a checkpoint of Rekor v1 that witnesses have cosigned.
func ownSignatures(checkpoint []byte) string {
	text, signatures, ok := bytes.Cut(checkpoint, []byte("\n\n"))
	if !ok {
		return string(checkpoint)
	}
	origin, _, _ := bytes.Cut(text, []byte("\n"))
	host, _, _ := bytes.Cut(origin, []byte(" - "))
	out := append(bytes.Clone(text), "\n\n"...)
	for line := range bytes.Lines(signatures) {
		if bytes.HasPrefix(line, append([]byte("— "), append(bytes.Clone(host), ' ')...)) {
			out = append(out, line...)
		}
	}
	return string(out)
}
