package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/policy"
)

// conclude turns a denial into a verdict. That a signer who counts vouched for
// other content is a mismatch, which no policy exempts: it denies too.
func (j *judgement) conclude(p *proof, d policy.Decision) policy.Decision {
	switch {
	case d.Outcome == policy.Allowed:
	case j.listing != nil && j.vouchedElsewhere(p):
		d.Outcome = policy.Denied
	case d.Outcome == policy.Denied:
		j.report.refuse(p.pieces, d, j.hintEvidence())
	}
	return d
}

// vouchedElsewhere looks for entries that count and that are over other content
// which the snapshot took for this module's.
func (j *judgement) vouchedElsewhere(p *proof) bool {
	var zip evidence.Digest
	if j.zip != nil {
		zip = evidence.SHA256(*j.zip)
	}
	elsewhere := j.index.claimedElsewhere(j.v, zip, evidence.SHA256(p.h1))
	j.decide(policy.Subject{Module: j.v}, elsewhere)
	p.pieces = append(p.pieces, elsewhere...)
	slices.SortStableFunc(elsewhere, func(a, b *piece) int { return strings.Compare(a.Of, b.Of) }) // listing before zip
	for _, e := range elsewhere {
		if !e.Accepted {
			continue
		}
		if e.Of == policy.OfZip && j.zip == nil {
			j.verdict(NotOnDisk, fmt.Sprintf("only its zip is attested, and that is not in %s\nsigned:  %s   (zip by %s, %s, entry %d)", j.places.String(), e.Digest, e.Signer, e.Log, e.Index),
				"carry the zip over too, or have the listing attested (modseal attest does both)")
			return true
		}
		if e.Of == policy.OfListing {
			if sum, err := bundles.ParseHex(e.digest.Hex); err == nil {
				j.want = sum
			}
		}
		j.verdict(Mismatch, fmt.Sprintf("content differs from what was signed\non disk: sha256:%x   (listing of %s)\nsigned:  %s   (%s by %s, %s, entry %d)",
			p.h1[:], j.contentFile(), e.Digest, e.Of, e.Signer, e.Log, e.Index), hintRefetch)
		return true
	}
	return false
}

// checkZipBeside judges the zip that lies beside an unpacked tree. No build reads
// it while the tree is there, and the go command would unpack it without hashing
// it again if the tree went away. It passes if its content has the proven h1, or,
// unless it was read anyway, if its bytes are those that the snapshot saw for this
// very h1 (the sealer's word). That somebody attested its bytes is not enough:
// only the content says of which module and version they are.
func (j *judgement) checkZipBeside(ctx context.Context, p *proof) error {
	if j.zip == nil || j.at.tree == "" {
		return nil
	}
	if j.zipListing == nil {
		if d := j.index.claimed(j.v); d != nil && !j.strict && d.Zip == j.zip.String() && d.Listing == p.h1.Hex() {
			return nil
		}
		if err := j.readZip(ctx, j.v, &j.content); err != nil {
			return err
		}
	}
	if j.zipListing.H1() != p.h1 {
		says := "the zip holds other content than the unpacked tree, which is proven\non disk: %s   (%s)\nproven:  %s"
		if p.exempt {
			says = "the zip holds other content than the unpacked tree\nzip:  %s   (%s)\ntree: %s"
		}
		j.verdict(Mismatch, fmt.Sprintf(says, j.zipListing.H1(), j.at.zip, p.h1), hintRefetch)
		j.report.setDifferences(modhash.Diff(j.listing, j.zipListing))
	}
	return nil
}

// checkGoMod judges the .mod file, which decides what else is built. It must be
// the one that the checksum database recorded, or else the go.mod of the proven
// content.
func (j *judgement) checkGoMod(p *proof) error {
	if j.at.mod == "" {
		j.checkGraph(j.goModOf(j.listing)) // which read the go.mod in the zip, if any
		return nil
	}
	got, err := j.readGoMod()
	if err != nil || j.report.Status != Unchecked {
		return err
	}
	for _, want := range p.goMods {
		if got != want {
			j.goModDiffers(got, want, "the checksum database's record")
			return nil
		}
	}
	if len(p.goMods) > 0 {
		return nil
	}
	by := "the go.mod in the proven content"
	if p.exempt {
		by = "the go.mod in its content"
	}
	if want := j.goModOf(j.listing); got != want {
		j.goModDiffers(got, want, by)
	}
	return nil
}

func (j *judgement) goModDiffers(got, want modhash.H1, by string) {
	j.verdict(Mismatch, fmt.Sprintf("go.mod differs from the log\non disk: %s   (%s)\nlogged:  %s   (%s)", got, j.at.mod, want, by), hintRefetch)
}

func (j *judgement) readGoMod() (modhash.H1, error) {
	data, err := gomod.ReadRegular(j.at.mod, modhash.MaxGoMod)
	if err != nil {
		return modhash.H1{}, err
	}
	h := modhash.GoModH1(data)
	j.goMod = &h
	j.onDisk("go.mod", j.at.mod, h.String())
	j.checkGraph(h)
	return h, nil
}

// checkGraph demands that the dependency set was computed from the go.mod that is
// judged.
func (j *judgement) checkGraph(goMod modhash.H1) {
	if read := j.m.GoModRead; read != "" && read != goMod.String() {
		j.verdict(Mismatch, "go.mod changed while it was read: "+cmp.Or(j.at.mod, j.at.zip), hintQuiet)
	}
}

// goModOf is the h1 of the go.mod that goes with proven content: the file
// itself, or what the go command makes up for a module without one.
func (j *judgement) goModOf(l *modhash.Listing) modhash.H1 {
	if sum, ok := l.File("go.mod"); ok {
		return modhash.GoModH1FromFileHash(sum)
	}
	return modhash.GoModH1FromFileHash(sha256.Sum256([]byte("module " + modfile.AutoQuote(j.v.Path) + "\n")))
}

// judgeGoModOnly judges a module of which the build reads nothing but go.mod.
func (j *judgement) judgeGoModOnly() error {
	if j.at.mod == "" {
		j.verdict(NotOnDisk, "its go.mod is not in "+j.places.String(), "fetch it with go mod download where the network is, and carry it over")
		return nil
	}
	got, err := j.readGoMod()
	if err != nil || j.report.Status != Unchecked {
		return err
	}
	p := &proof{pieces: j.index.recorded(j.v)}
	for _, r := range p.pieces {
		if r.status == Verified && got != r.record.GoMod {
			j.publish(p)
			j.goModDiffers(got, r.record.GoMod, fmt.Sprintf("%s, record %d", r.Log, r.Index))
			return nil
		}
	}
	l := j.goMods[j.v]
	if l != nil {
		p.h1 = l.H1()
		p.pieces = append(p.pieces, j.index.signed(evidence.SHA256(p.h1), policy.OfListing, j.v)...)
	}
	d := j.decide(policy.Subject{Module: j.v}, p.pieces)
	j.conclusion(p, d)
	for _, e := range p.pieces {
		if !e.Accepted || e.Of == policy.OfRecord {
			continue
		}
		if want := j.goModOf(l); got != want {
			j.goModDiffers(got, want, "the go.mod in the signed listing")
			return nil
		}
	}
	if d = j.conclude(p, d); d.Outcome != policy.Denied {
		j.pass(d)
	}
	return nil
}

// checkGoSum compares what is proven with the project's own go.sum, or with the sum
// files of a workspace, which must agree. The go command would refuse a
// contradiction only if it had to download the module.
func (j *judgement) checkGoSum() {
	contradicts := func(file, sum, got, what string) bool {
		if sum == "" || sum == got {
			return false
		}
		j.verdict(Mismatch, fmt.Sprintf("%s contradicts the log\n%s: %s   (%s)\nproven: %s", file, file, sum, what, got), hintSums(file))
		return true
	}
	if j.listing != nil && contradicts(j.m.SumFile, j.m.Sum, j.listing.H1().String(), "content") {
		return
	}
	if j.goMod != nil && contradicts(j.m.GoModSumFile, j.m.GoModSum, j.goMod.String(), "go.mod") {
		return
	}
	if files := j.m.SumsDiffer; files != "" {
		j.verdict(Mismatch, "sum files of the workspace contradict each other: "+files, hintSums(files))
	}
}

func hintSums(files string) string {
	return "find out who changed " + files + "; the go command on a trusted host writes such files anew"
}

// explainMismatches names the files that differ, with the listings of the
// bundle: one whose digest is the proven h1 is proven itself.
func explainMismatches(b *bundles.Bundle, modules []judged) error {
	wanted := map[string][]*judged{}
	for i := range modules {
		if m := &modules[i]; m.want != (modhash.H1{}) && m.have != nil {
			wanted[m.want.Hex()] = append(wanted[m.want.Hex()], m)
		}
	}
	if len(wanted) == 0 || !b.Manifest.Listings {
		return nil
	}
	return b.Listings(func(digest string) bool { return wanted[digest] != nil }, func(digest string, data []byte) error {
		for _, m := range wanted[digest] {
			if l, err := modhash.ParseListing(data); err == nil { // else it explains nothing
				m.setDifferences(modhash.Diff(l, m.have))
			}
		}
		return nil
	})
}
