// Package policy says which evidence an enclave accepts: from a policy file
// (docs/policy.md) or from the flags that are shorthand for one, never from a
// bundle.
//
// It decides on evidence that others have verified. It reads no file but the
// public keys that a policy names, through a function that it is given, and
// asks no clock: the moment of judging is an argument.
package policy

import (
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/keys"
)

// Policy is what modules and artifacts must have. The zero value accepts
// nothing.
type Policy struct {
	Signers []Signer // who may vouch: whom any rule names, each once
	// AllowLocal lets modules pass that a replace directive takes from a
	// directory of the source tree itself. Outside of it they never pass.
	AllowLocal bool
	Witnesses  []Witness // whose cosignatures a rule asks for
	Seal       SealRule  // who may seal bundles

	source string    // what the policy was read from; "" is the flags
	named  []*Signer // everybody whom it names, sealers too
	rules  []rule
	exempt []exemption
}

// Witness is somebody who cosigns checkpoints (C2SP tlog-cosignature).
type Witness struct {
	Name string
	VKey string // NAME+HASH+KEY (C2SP signed-note), its form checked
}

// Name is what messages call the policy: its file, or what the flags require.
func (p *Policy) Name() string {
	if p.source == "" && len(p.rules) > 0 {
		return p.rules[0].name
	}
	return p.source
}

// Keys are the public keys among the signers.
func (p *Policy) Keys() []*keys.Public {
	var out []*keys.Public
	for _, s := range p.Signers {
		if s.Key != nil {
			out = append(out, s.Key)
		}
	}
	return out
}

// NamesIdentities tells whether any signer is a certificate identity.
func (p *Policy) NamesIdentities() bool {
	for _, s := range p.Signers {
		if s.Identity != nil {
			return true
		}
	}
	return false
}

// Names lists the signers, sealers among them, who a principal is. There may be
// several: an identity may match more than one expression.
func (p *Policy) Names(who Principal) []string {
	var out []string
	for _, s := range p.named {
		if s.is(who) {
			out = append(out, s.Name)
		}
	}
	return out
}

// Subject is what a policy decides about: a module, or an artifact beside
// modules; exactly one of the two is set.
type Subject struct {
	Module   module.Version
	Artifact string // its name
}

func (s Subject) String() string {
	if s.Artifact != "" {
		return s.Artifact
	}
	return s.Module.String()
}

// Log is where evidence was logged.
type Log struct {
	Kind string // "sumdb", or of Rekor
	// Name is the log's own name: its origin, or the database's name.
	Name string
	// ID is derived from the log's key. Where it is set, it is what tells logs
	// apart: two shards with one key are one log.
	ID string
}

// same is equal for what counts as one log, and "" for what counts as none.
func (l Log) same() string {
	switch {
	case l.ID != "":
		return "id " + l.ID
	case l.Name != "":
		return "name " + l.Kind + " " + l.Name
	}
	return ""
}

// What a piece of evidence is of.
const (
	OfRecord    = "record"    // a checksum database's record of the module
	OfZip       = "zip"       // a signature over the zip's bytes
	OfListing   = "listing"   // a signature over the listing
	OfStatement = "statement" // an in-toto statement
	OfSignature = "signature" // a signature over an artifact
)

// Evidence is one log entry that speaks of the subject. The caller has verified
// it: it is in the log, which is trusted; the signature, certificate and time
// hold; and what was logged is the digest of the content.
type Evidence struct {
	Log Log
	Of  string    // OfRecord and so on
	By  Principal // who signed it; zero for a record

	PredicateType string // of a statement
	// NamesSubject tells that a statement has the content's digest under the name
	// of the module and version, or of the artifact. One without does not count.
	NamesSubject bool

	Time      time.Time // proven time of logging; zero if nothing proves one
	Witnesses []string  // names of those whose cosignatures on the log's checkpoint verify
}
