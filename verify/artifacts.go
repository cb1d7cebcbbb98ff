package verify

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/policy"
)

// Digest is a digest of an artifact: sha256, sha384 or sha512.
type Digest = evidence.Digest

// Artifact is a file beside the modules that the evidence must prove: a
// toolchain, a linter, a release.
type Artifact struct {
	Name    string   // of the file, without a path; "" if only a digest is known
	Digests []Digest // of one file, each of another algorithm; at least one
}

// ReadArtifact takes all digests of a file, in one reading.
func ReadArtifact(name string) (*Artifact, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hashes := []hash.Hash{sha256.New(), sha512.New384(), sha512.New()}
	if _, err := io.Copy(io.MultiWriter(hashes[0], hashes[1], hashes[2]), f); err != nil {
		return nil, err
	}
	a := &Artifact{Name: filepath.Base(name)}
	if err := bundles.CheckArtifactName(a.Name); err != nil {
		return nil, fmt.Errorf("%w can't stand in a bundle: rename the file", err)
	}
	for i, algorithm := range []string{"sha256", "sha384", "sha512"} {
		a.Digests = append(a.Digests, Digest{Algorithm: algorithm, Hex: hex.EncodeToString(hashes[i].Sum(nil))})
	}
	return a, nil
}

// openRegular opens a file that the user named, and nothing else.
func openRegular(name string) (*os.File, error) {
	if info, err := os.Stat(name); err != nil { // to open a pipe is to wait
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	return os.Open(name)
}

// String is the name, or the first digest of what has none.
func (a *Artifact) String() string {
	if a.Name == "" && len(a.Digests) > 0 {
		return a.Digests[0].String()
	}
	return a.Name
}

// Manifest is the artifact as a bundle describes it.
func (a *Artifact) Manifest() bundles.Artifact {
	out := bundles.Artifact{Name: a.Name}
	for _, d := range a.Digests {
		switch d.Algorithm {
		case "sha256":
			out.SHA256 = d.Hex
		case "sha384":
			out.SHA384 = d.Hex
		case "sha512":
			out.SHA512 = d.Hex
		}
	}
	return out
}

// artifact gives an artifact its verdict: by the entries over any of its digests.
func (c *moduleCheck) artifact(a *Artifact) ArtifactReport {
	m := a.Manifest()
	r := ArtifactReport{Name: a.Name, SHA256: m.SHA256, SHA384: m.SHA384, SHA512: m.SHA512}
	var pieces []*piece
	for _, d := range a.Digests {
		for _, p := range c.index.over(d, policy.OfSignature) {
			p.evidence.NamesSubject = true // what a file is called where it was made is no matter
			if !slices.ContainsFunc(pieces, p.saidBy) {
				pieces = append(pieces, &p.piece)
			}
		}
	}
	decision := c.decide(policy.Subject{Artifact: a.String()}, pieces)
	r.Rule = decision.Rule
	if c.explain != nil && c.explain(a.String()) {
		r.Explain = decision.Explain
	}
	switch decision.Outcome {
	case policy.Allowed:
		r.Status = Verified
	case policy.Exempt:
		r.Status, r.Reason = Exempt, decision.Reason
	default:
		r.refuse(pieces, decision, "take a snapshot with its Sigstore bundles (modseal snapshot --artifact FILE --attestations DIR)")
	}
	r.OK = r.Status == Verified || r.Status == Exempt
	for _, p := range pieces {
		r.Evidence = append(r.Evidence, p.EvidenceReport)
	}
	return r
}
