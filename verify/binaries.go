package verify

import (
	"fmt"
	"path/filepath"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/gobinary"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/policy"
)

// Binary is what a Go binary says of itself: the modules that it was built of,
// with their hashes.
type Binary = gobinary.Binary

// ErrNoModules says that a binary names no modules, which is not a pass.
var ErrNoModules = gobinary.ErrNoModules

// ReadBinary reads the build info of a Go binary (ELF, PE or Mach-O), without
// running it. A file that has none, or that names no module with a version, is
// an error.
func ReadBinary(name string) (*Binary, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b, err := gobinary.Read(filepath.Base(name), f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// binaryCheck judges the modules that binaries name. There is no content to hash:
// the h1 that a binary names stands in its place, or where it names none the h1
// that the bundle proves for path@version.
type binaryCheck struct {
	*moduleCheck
	// listed are the modules that listings of the bundle name, by h1. The digest
	// of a listing proves its text, so a signature over the h1 is one over that
	// module; without the listing it might be over any.
	listed map[modhash.H1]module.Version
}

// newBinaryCheck reads those listings of the bundle that could tie a hash to a
// module of the binaries.
func newBinaryCheck(b *bundles.Bundle, c *moduleCheck, binaries []Binary) (*binaryCheck, error) {
	out := &binaryCheck{moduleCheck: c, listed: map[modhash.H1]module.Version{}}
	wanted := map[string]bool{}
	for i := range binaries {
		for _, m := range binaries[i].Modules {
			if h1, ok := out.claimedH1(m.Version); ok {
				wanted[h1.Hex()] = true
			}
			wanted[m.Sum.Hex()] = true
		}
	}
	if len(wanted) == 0 {
		return out, nil
	}
	return out, b.Listings(func(digest string) bool { return wanted[digest] }, func(_ string, data []byte) error {
		if l, err := modhash.ParseListing(data); err == nil { // else it ties nothing
			out.listed[l.H1()] = l.Module()
		}
		return nil
	})
}

// binaries judges those of the request into a report.
func (r *Request) binaries(b *bundles.Bundle, c *moduleCheck, out *Report) error {
	if len(r.Binaries) == 0 {
		return nil
	}
	check, err := newBinaryCheck(b, c, r.Binaries)
	if err != nil {
		return err
	}
	for i := range r.Binaries {
		out.Binaries = append(out.Binaries, check.report(&r.Binaries[i]))
	}
	out.Notes = append(out.Notes, binaryNotes(out.Binaries)...)
	return nil
}

// claimedH1 is what the manifest has, which is the sealer's word alone.
func (c *binaryCheck) claimedH1(m module.Version) (h modhash.H1, ok bool) {
	d := c.index.claimed(m)
	if d == nil || d.Listing == "" {
		return h, false
	}
	sum, err := bundles.ParseHex(d.Listing)
	return sum, err == nil
}

func (c *binaryCheck) report(b *Binary) BinaryReport {
	r := BinaryReport{Name: b.Name, SHA256: b.SHA256, Go: b.Go, Package: b.Package, Main: b.Main}
	for _, m := range b.Modules {
		r.Modules = append(r.Modules, c.module(m))
	}
	return r
}

func (c *binaryCheck) module(m gobinary.Module) BinaryModule {
	r := BinaryModule{Path: m.Path, Version: m.Version.Version}
	if m.Replaces != (module.Version{}) {
		r.Replaces = m.Replaces.String()
	}
	if m.Local() {
		c.local(&r, m)
		return r
	}
	p := &binaryProof{v: m.Version, h1: m.Sum, records: c.index.recorded(m.Version)}
	named := m.Sum != (modhash.H1{})
	if named {
		r.H1, r.H1From = m.Sum.String(), "binary"
	} else if !p.fromRecords() {
		p.h1, _ = c.claimedH1(m.Version)
	}
	c.judge(&r, p)
	if !named && p.proven() {
		r.H1, r.H1From = p.h1.String(), "bundle"
	}
	r.OK = r.Status == Verified || r.Status == Exempt
	for _, e := range p.pieces {
		r.Evidence = append(r.Evidence, e.EvidenceReport)
	}
	return r
}

// local is the verdict on a module that was taken from a directory. A binary has
// no hash of it: it is taken as the main module's source is, if its directory is
// below that by its name.
func (c *binaryCheck) local(r *BinaryModule, m gobinary.Module) {
	r.Dir = m.Dir
	switch {
	case m.Dir == "":
		r.set(Local, "taken from a directory of a workspace, which the binary does not name and nothing vouches for", "build with GOWORK=off, of versions that are logged")
	case !m.InTree():
		r.set(Local, "taken from a directory outside of the source tree, which nothing vouches for", "publish and attest it, or move it into the source tree")
	case !c.policy.AllowLocal:
		r.set(Local, "taken from a directory of the source tree, which the policy does not allow", "")
	default:
		r.set(Local, "part of the source tree", "")
		r.OK = true
	}
}

// binaryProof is what there is to prove one h1 of a module with.
type binaryProof struct {
	v       module.Version
	h1      modhash.H1 // zero if nobody says one
	records []*piece
	pieces  []*piece // those, and the signed entries over h1
}

// fromRecords takes the h1 of a trusted record.
func (p *binaryProof) fromRecords() bool {
	for _, r := range p.records {
		if r.status == Verified {
			p.h1 = r.record.H1
			return true
		}
	}
	return false
}

// proven tells whether a piece that is over h1 counted.
func (p *binaryProof) proven() bool {
	for _, e := range p.pieces {
		if e.Accepted {
			return true
		}
	}
	return false
}

const (
	hintRebuild     = "do not use it: build it anew from modules that modseal verify proves"
	hintNewSnapshot = "take a new snapshot of the project that it is built from, or have the module attested (modseal attest)"
)

func (c *binaryCheck) judge(r *BinaryModule, p *binaryProof) {
	p.pieces = p.records
	tied := c.listed[p.h1] == p.v
	for _, e := range p.records {
		switch {
		case e.status != Verified:
		case e.record.H1 != p.h1:
			e.status = Mismatch
			e.Why = "it is of another h1"
			r.set(Mismatch, fmt.Sprintf("the binary was built of other content than was logged\nbinary: %s\nlogged: %s   (%s, record %d)", p.h1, e.record.H1, e.Log, e.Index), hintRebuild)
			if r.H1From == "" {
				r.set(Mismatch, fmt.Sprintf("the binary names no hash, and two are logged\nlogged: %s\nlogged: %s   (%s, record %d)", p.h1, e.record.H1, e.Log, e.Index), "distrust one of the checksum databases")
			}
		default:
			tied = true
		}
	}
	if r.Status != Unchecked {
		return
	}
	var signed []*piece
	if p.h1 != (modhash.H1{}) {
		signed = c.index.signed(evidence.SHA256(p.h1), policy.OfListing, p.v)
	}
	for _, e := range signed {
		if e.status == Verified && !tied && e.Of != policy.OfStatement { // a statement names its module
			e.status, e.Why = NotAllowed, "nothing in the bundle shows that this h1 is that of "+p.v.String()
			e.hint = "take the snapshot with listings"
		}
		p.pieces = append(p.pieces, e)
	}
	d := c.decide(policy.Subject{Module: p.v}, p.pieces)
	r.Rule = d.Rule
	if c.explain != nil && (c.explain(p.v.Path) || c.explain(p.v.String())) {
		r.Explain = d.Explain
	}
	switch {
	case d.Outcome == policy.Allowed:
		r.set(Verified, "", "")
	case c.signedElsewhere(r, p):
	case d.Outcome == policy.Exempt:
		r.set(Exempt, d.Reason, "")
	default:
		c.refuse(r, p, d)
	}
}

// signedElsewhere looks for a signer who counts and who vouched for another h1
// of the module than the binary names: a mismatch, which no policy exempts.
func (c *binaryCheck) signedElsewhere(r *BinaryModule, p *binaryProof) bool {
	want, ok := c.claimedH1(p.v)
	if !ok || r.H1From == "" || want == p.h1 || c.listed[want] != p.v {
		return false
	}
	signed := c.index.signed(evidence.SHA256(want), policy.OfListing, p.v)
	c.decide(policy.Subject{Module: p.v}, signed)
	p.pieces = append(p.pieces, signed...)
	for _, e := range signed {
		if e.Accepted {
			r.set(Mismatch, fmt.Sprintf("the binary was built of other content than was signed\nbinary: %s\nsigned: %s   (%s by %s, %s, entry %d)", p.h1, want, e.Of, e.Signer, e.Log, e.Index), hintRebuild)
			return true
		}
	}
	return false
}

// refuse says of a module whose zip alone is attested that this is no use here: a
// binary names the h1, and which h1 the zip has is the sealer's word.
func (c *binaryCheck) refuse(r *BinaryModule, p *binaryProof, d policy.Decision) {
	m := c.index.claimed(p.v)
	if len(p.pieces) == 0 && m != nil && m.Zip != "" {
		zip := c.index.signed(evidence.Digest{Algorithm: "sha256", Hex: m.Zip}, policy.OfZip, p.v)
		c.decide(policy.Subject{Module: p.v}, zip)
		for _, e := range zip {
			if e.Accepted {
				e.Accepted, e.Why = false, "a binary names the h1 of the content, not the zip"
				p.pieces = zip
				r.set(NotAllowed, "only its zip is attested, and a binary names the h1 of the content", "have the listing attested too (modseal attest does both)")
				return
			}
		}
	}
	r.refuse(p.pieces, d, hintNewSnapshot)
}

// binaryNotes say what the verdicts on a binary's modules do not cover.
func binaryNotes(reports []BinaryReport) []string {
	if len(reports) == 0 {
		return nil
	}
	notes := []string{"what a binary was built of is its own word, by go version -m: that it holds these modules, and nothing else, is not proven (--artifact FILE proves the file itself); its own source, its Go and the standard library are not judged"}
	for _, b := range reports {
		n := 0
		for _, m := range b.Modules {
			if m.H1From != "binary" && m.Status != Local {
				n++
			}
		}
		if n > 0 {
			notes = append(notes, fmt.Sprintf("%s names no hash of %d of its %d modules, as a build from a vendor folder does: the hashes are the bundle's, and that the vendor folder had this content is not proven", b.Name, n, len(b.Modules)))
		}
	}
	return notes
}
