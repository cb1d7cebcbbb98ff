package evidence

import (
	"errors"
	"fmt"
	"strings"

	intoto "github.com/in-toto/attestation/go/v1"
	packageurl "github.com/package-url/packageurl-go"
	"golang.org/x/mod/module"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modseal/modseal/bundles"
)

// StatementMediaType is the payload type of an envelope that holds an in-toto
// statement.
const StatementMediaType = "application/vnd.in-toto+json"

// statementTypes are the versions of in-toto statements that are read.
var statementTypes = map[string]bool{"https://in-toto.io/Statement/v0.1": true, "https://in-toto.io/Statement/v1": true}

// Limits of a statement; sigstore-go has the same.
const (
	maxSubjects       = 1024
	maxSubjectDigests = 32
)

// Statement is an in-toto statement, version 0.1 or 1: what it is about. What it
// says of that, the predicate, is not read.
type Statement struct {
	PredicateType string
	Subjects      []Subject
}

// Subject is one of the things that a statement is about.
type Subject struct {
	Name    string
	Digests []Digest // of algorithms that are not read here, none

	first struct{ algorithm, value string } // of Digests[0], as the statement has it
}

// parseStatement reads the statement in an envelope, no less strictly than
// sigstore-go does: unknown and repeated members are errors.
//
// Of digests, sha256, sha384 and sha512 are read, and dirHash1 and the older
// goModuleH1 (in-toto attestation framework, "DigestSet"), which are the h1 of a
// module and so the SHA-256 of its listing. Others are passed over.
func parseStatement(e *bundles.Envelope) (*Statement, error) {
	if e.PayloadType != StatementMediaType {
		return nil, fmt.Errorf("%w: envelope of %.60q, which is no in-toto statement", ErrUnsupported, e.PayloadType)
	}
	var raw intoto.Statement
	if err := protojson.Unmarshal(e.Payload, &raw); err != nil {
		return nil, errors.New("the envelope does not hold an in-toto statement") // protojson's words differ from run to run
	}
	if !statementTypes[raw.GetType()] {
		return nil, fmt.Errorf("%w: statement of type %.60q", ErrUnsupported, raw.GetType())
	}
	if n := len(raw.GetSubject()); n == 0 || n > maxSubjects {
		return nil, fmt.Errorf("a statement of %d subjects; 1 to %d are read", n, maxSubjects)
	}
	s := &Statement{PredicateType: raw.GetPredicateType()}
	for _, r := range raw.GetSubject() {
		subject, err := newSubject(r)
		if err != nil {
			return nil, err
		}
		s.Subjects = append(s.Subjects, subject)
	}
	if len(s.digests()) == 0 {
		return nil, errors.New("no subject of the statement has a digest that is read here")
	}
	return s, nil
}

func newSubject(r *intoto.ResourceDescriptor) (Subject, error) {
	if n := len(r.GetDigest()); n > maxSubjectDigests {
		return Subject{}, fmt.Errorf("a subject with %d digests; at most %d are read", n, maxSubjectDigests)
	}
	s := Subject{Name: r.GetName()}
	for _, algorithm := range []string{"sha256", "sha384", "sha512", "dirHash1", "goModuleH1"} {
		value, ok := r.GetDigest()[algorithm]
		if !ok {
			continue
		}
		as := algorithm
		if strings.HasSuffix(algorithm, "1") { // an h1
			as = "sha256"
		}
		d, err := newDigest(as, value)
		if err != nil {
			return Subject{}, fmt.Errorf("subject: %w", err)
		}
		if len(s.Digests) == 0 {
			s.first.algorithm, s.first.value = algorithm, value
		}
		s.Digests = append(s.Digests, d)
	}
	return s, nil
}

func (s *Statement) digests() []Digest {
	var out []Digest
	seen := map[Digest]bool{}
	for _, subject := range s.Subjects {
		for _, d := range subject.Digests {
			if !seen[d] {
				seen[d] = true
				out = append(out, d)
			}
		}
	}
	return out
}

// Names are the names of all subjects that have this digest.
func (s *Statement) Names(d Digest) []string {
	var out []string
	for _, subject := range s.Subjects {
		for _, have := range subject.Digests {
			if have == d {
				out = append(out, subject.Name)
				break
			}
		}
	}
	return out
}

// NamesModule tells whether a subject's name means this module: path@version, or
// the package URL pkg:golang/path@version. A package URL's path may be in lower
// case whatever the module's is, as its specification has it for this type; the
// digest tells them apart.
func NamesModule(name string, m module.Version) bool {
	if name == m.Path+"@"+m.Version {
		return true
	}
	if !strings.HasPrefix(name, "pkg:") {
		return false
	}
	p, err := packageurl.FromString(name)
	if err != nil || p.Type != packageurl.TypeGolang || p.Subpath != "" || p.Version != m.Version {
		return false
	}
	path := p.Name
	if p.Namespace != "" {
		path = p.Namespace + "/" + p.Name
	}
	return path == m.Path || path == strings.ToLower(m.Path)
}
