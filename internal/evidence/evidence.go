// Package evidence reads what log entries say about modules and artifacts, and
// gives them the form that sigstore-go and cosign verify.
//
//	checksum database:   record text          ─► ParseRecord ─► Record
//	Rekor, v1 and v2:    Entry                ─► Entry.Claim ─► Claim
//	a Sigstore bundle:   *.sigstore.json      ─► ReadBundle  ─► Published
//	Entry and Claim                           ─► Verifier.Verify (sigstore-go) ─► Signed
//
// It decides nothing: a Claim is proven by nothing yet, and whether the signer of
// what is proven counts is for the policy.
package evidence

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/merkle"
)

// ErrUnsupported says that a Rekor entry is of a kind that is not read here.
var ErrUnsupported = errors.New("unsupported kind of Rekor entry")

// Entry is an entry of a Rekor log with all that its verification takes.
type Entry struct {
	V2         bool   // of a Rekor v2
	Body       []byte // canonical, as it is hashed into the log
	LogID      [32]byte
	Inclusion  merkle.Inclusion // in the shard
	Checkpoint []byte           // signed; of Inclusion.Tree

	// Of Rekor v1 alone:
	LogIndex       uint64 // over all shards
	IntegratedTime int64  // seconds since 1970
	SET            []byte // signed entry timestamp

	// What the log does not hold, and the publisher's Sigstore bundle does:
	Envelope   *bundles.Envelope // of a statement; nil if an artifact itself was signed
	Timestamps [][]byte          // RFC 3161 time-stamp responses over the signature
}

// Digest is a digest of an artifact, of a module's zip, or of its listing.
type Digest struct {
	Algorithm string // sha256, sha384 or sha512
	Hex       string // lower case
}

// algorithms are the digest algorithms that sigstore-go verifies.
var algorithms = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// SHA256 is a SHA-256 digest.
func SHA256(sum [32]byte) Digest { return Digest{"sha256", hex.EncodeToString(sum[:])} }

// ParseDigest reads "sha256:HEX", or the same with sha384 or sha512.
func ParseDigest(s string) (Digest, error) {
	algorithm, value, _ := strings.Cut(s, ":")
	return newDigest(algorithm, value)
}

func newDigest(algorithm, value string) (Digest, error) {
	h, ok := algorithms[algorithm]
	if !ok {
		return Digest{}, fmt.Errorf("digest algorithm %.20q is none of sha256, sha384, sha512", algorithm)
	}
	sum, err := hex.DecodeString(value)
	if err != nil || len(sum) != h.Size() || hex.EncodeToString(sum) != value {
		return Digest{}, fmt.Errorf("%.150q is not %d lower-case hex digits, as %s has", value, 2*h.Size(), algorithm)
	}
	return Digest{algorithm, value}, nil
}

func (d Digest) String() string { return d.Algorithm + ":" + d.Hex }

// sum is the digest's bytes; nil of the zero value.
func (d Digest) sum() []byte {
	b, _ := hex.DecodeString(d.Hex) // newDigest made it
	return b
}

// Claim is what an entry says: that the holder of a key, or whoever had a
// certificate issued, signed an artifact or a statement.
type Claim struct {
	Digest      Digest            // of the artifact; zero if a statement was signed
	Statement   *Statement        // nil if an artifact was signed
	Signature   []byte            // as the log has it
	Key         *keys.Public      // the signing key; of the certificate when there is one
	Certificate *x509.Certificate // nil when the entry names a bare key

	kind, version string // of the entry
}

// Digests are what the claim is about, each once.
func (c *Claim) Digests() []Digest {
	if c.Statement == nil {
		return []Digest{c.Digest}
	}
	return c.Statement.digests()
}

// Claim reads what the entry says. Entries of kinds that are not read, and those
// of a statement that is not there, give ErrUnsupported. The body must be in Rekor's one canonical form: it is encoded
// again and compared.
//
// Read are hashedrekord 0.0.1, dsse 0.0.1 and intoto 0.0.2 of Rekor v1, and
// hashedrekord 0.0.2 of Rekor v2, in which an envelope is logged by the digest of
// its pre-authentication encoding.
func (e *Entry) Claim() (*Claim, error) {
	kind, version, err := kindOf(e.Body)
	if err != nil {
		return nil, err
	}
	parse, ok := map[string]func([]byte) (*Claim, error){
		"1 hashedrekord 0.0.1": parseHashedRekordV1,
		"1 dsse 0.0.1":         parseDSSE,
		"1 intoto 0.0.2":       parseIntoto,
		"2 hashedrekord 0.0.2": parseHashedRekordV2,
	}[e.generation()+" "+kind+" "+version]
	if !ok {
		return nil, fmt.Errorf("%w: %.40q %.20q in a Rekor v%s", ErrUnsupported, kind, version, e.generation())
	}
	c, err := parse(e.Body)
	if err != nil {
		return nil, fmt.Errorf("rekor entry: %w", err)
	}
	c.kind, c.version = kind, version
	if e.Envelope == nil {
		if c.Digest == (Digest{}) {
			return nil, fmt.Errorf("%w: the statement is not there, of which a %s holds only the hash", ErrUnsupported, kind)
		}
		return c, nil
	}
	if kind == "hashedrekord" && !e.V2 {
		return nil, errors.New("rekor entry: a hashedrekord of Rekor v1 is not about an envelope")
	}
	c.Digest = Digest{} // of the envelope's encoding, which sigstore-go compares
	if c.Statement, err = parseStatement(e.Envelope); err != nil {
		return nil, err
	}
	return c, nil
}

// OfBundle is entry e of log l of a bundle, which is proven to be in the log's
// tree by in.
func OfBundle(l *bundles.Log, e *bundles.Entry, in merkle.Inclusion) (*Entry, error) {
	id, err := bundles.ParseHex(l.LogID)
	if err != nil {
		return nil, err
	}
	return &Entry{
		V2: l.Kind == bundles.RekorV2, Body: []byte(e.Leaf), LogID: id, Inclusion: in, Checkpoint: l.Checkpoint,
		LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime, SET: e.SET,
		Envelope: e.Envelope, Timestamps: e.Timestamps,
	}, nil
}

func (e *Entry) generation() string {
	if e.V2 {
		return "2"
	}
	return "1"
}
