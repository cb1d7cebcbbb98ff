package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/policy"
)

const hintVendor = "restore vendor/ from where it was reviewed, or run go mod vendor (go work vendor of a workspace) where the modules are proven (modseal verify --mod=readonly)"

const hintIgnored = "if go mod vendor left these out because they are marked \"//go:build ignore\": take a snapshot of the project with its vendor folder, which says so; else "

// errVendorListings says why a bundle is of no use for a vendor folder.
var errVendorListings = errors.New("the bundle has no listings, and only they prove the files of a vendor folder: take the snapshot without --no-listings, or verify the module cache with --mod=readonly and build with the same -mod flag")

// vendorCheck is step 6 for a project that is built from its vendor folder. What
// a module's files must be comes from its listing in the bundle, once its h1 is
// proven; neither zip nor module cache is read.
type vendorCheck struct {
	*moduleCheck
	project  *gomod.Project
	listings []*modhash.Listing // by place in project.Modules; nil for what the bundle has none of
	files    [][]modhash.File   // by place: what is on disk, named relative to the module
	wrong    [][]modhash.Change // by place: what differs in other ways than its content
	kinds    map[string]string  // of what is no file, by name in the folder
	stray    []Difference       // what belongs to no module
	endings  map[string]bool
	believed bool // the manifest: it was sealed
	unstated int  // modules of which the manifest does not say what hashes can't
}

// checkVendor gives every module of the vendor folder its verdict, and one to
// the folder itself if there is in it what belongs to no module.
func (r *Request) checkVendor(ctx context.Context, c *moduleCheck, b *bundles.Bundle, p *gomod.Project) ([]judged, []ModuleReport, []string, error) {
	if !b.Manifest.Listings {
		return nil, nil, nil, errVendorListings
	}
	v := &vendorCheck{moduleCheck: c, project: p, kinds: map[string]string{}, endings: map[string]bool{}, believed: len(b.Seals) > 0 || r.OwnManifest}
	folder, err := v.hash(ctx, b)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := v.share(folder); err != nil {
		return nil, nil, nil, err
	}
	out := make([]judged, len(p.Modules))
	for i := range p.Modules {
		if out[i], err = v.check(ctx, i); err != nil {
			return nil, nil, nil, err
		}
		r.progress(Progress{Modules: 1})
	}
	var strays []ModuleReport
	if len(v.stray) > 0 {
		m := ModuleReport{Path: "vendor", Dir: "vendor"}
		m.set(Mismatch, "the vendor folder has files that belong to no module of vendor/modules.txt", hintVendor)
		m.setVendorDifferences(v.stray)
		strays = append(strays, m)
	}
	return out, strays, v.notes(), nil
}

// readListings finds the listing of each module: the one that a trusted record
// names, or else the one that the manifest claims, which signatures then must
// prove.
func (v *vendorCheck) readListings(b *bundles.Bundle) error {
	v.listings = make([]*modhash.Listing, len(v.project.Modules))
	wanted := map[string][]int{}
	for i, m := range v.project.Modules {
		if m.LocalDir != "" {
			continue
		}
		mod := module.Version{Path: m.Path, Version: m.Version}
		digest := ""
		if d := v.index.claimed(mod); d != nil {
			digest = d.Listing
		}
		for _, r := range v.index.recorded(mod) {
			if r.status == Verified {
				digest = r.record.H1.Hex()
				break
			}
		}
		wanted[digest] = append(wanted[digest], i)
	}
	return b.Listings(func(digest string) bool { return wanted[digest] != nil }, func(digest string, data []byte) error {
		l, err := modhash.ParseListing(data)
		if err != nil {
			return nil // proves nothing
		}
		for _, i := range wanted[digest] {
			if m := v.project.Modules[i]; l.Module() == (module.Version{Path: m.Path, Version: m.Version}) {
				v.listings[i] = l
			}
		}
		return nil
	})
}

// relative gives the place of the module that a file of the folder belongs to,
// and the file's name in that module.
func (v *vendorCheck) relative(name string) (i int, rel string, ok bool) {
	if i, ok = v.project.Vendor.Owner(name); !ok {
		return 0, "", false
	}
	rel, ok = strings.CutPrefix(name, v.project.Modules[i].Required.Path+"/")
	return i, rel, ok
}

// hash hashes the folder, and reads the listings meanwhile.
func (v *vendorCheck) hash(ctx context.Context, b *bundles.Bundle) (*modhash.VendorResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var bad error // of the listings
	read := make(chan struct{})
	go func() {
		defer close(read)
		if bad = v.readListings(b); bad != nil {
			cancel(bad)
		}
	}()
	folder, err := v.hasher.Vendor(ctx, v.project.Vendor.Dir, func(name string) (sum [32]byte, ok bool) {
		<-read
		if i, rel, ok := v.relative(name); ok && v.listings[i] != nil {
			return v.listings[i].File(rel)
		}
		return sum, false
	})
	<-read
	switch {
	case bad != nil:
		return nil, bad
	case err != nil:
		return nil, fmt.Errorf("vendor folder: %w", err)
	}
	return folder, nil
}

// share gives every file of the folder to the module that it belongs to.
func (v *vendorCheck) share(folder *modhash.VendorResult) error {
	v.files = make([][]modhash.File, len(v.project.Modules))
	v.wrong = make([][]modhash.Change, len(v.project.Modules))
	for _, name := range folder.Endings {
		v.endings[name] = true
	}
	read := false
	for _, f := range folder.Files {
		if f.Name == "modules.txt" {
			if read = true; f.SHA256 != v.project.Vendor.SHA256 {
				return errors.New("vendor/modules.txt changed while it was read: let nothing write to the project while it is verified")
			}
			continue
		}
		i, rel, ok := v.relative(f.Name)
		if !ok {
			v.stray = append(v.stray, Difference{File: "vendor/" + f.Name, Kind: modhash.Extra.String()})
			continue
		}
		v.files[i] = append(v.files[i], modhash.File{Name: rel, SHA256: f.SHA256})
	}
	for _, e := range folder.Wrong {
		v.kinds[e.Path] = e.Problem
		i, rel, ok := v.relative(e.Path)
		if !ok {
			if i, ok = v.project.Vendor.Owner(e.Path + "/x"); ok { // the module's folder itself
				rel = "."
			}
		}
		if !ok {
			v.stray = append(v.stray, Difference{File: "vendor/" + e.Path, Kind: e.Problem})
			continue
		}
		v.wrong[i] = append(v.wrong[i], modhash.Change{Name: rel})
	}
	if folder.More > 0 {
		v.stray = append(v.stray, Difference{File: "vendor", Kind: fmt.Sprintf("%d more that are no files", folder.More)})
	}
	if !read {
		return errors.New("vendor/modules.txt went away while the folder was read")
	}
	return nil
}

// check gives a module its verdict.
func (v *vendorCheck) check(ctx context.Context, i int) (judged, error) {
	m := v.project.Modules[i]
	r := judged{ModuleReport: ModuleReport{Path: m.Path, Version: m.Version}}
	j := &judgement{moduleCheck: v.moduleCheck, m: m, v: module.Version{Path: m.Path, Version: m.Version}, report: &r.ModuleReport}
	j.at.tree = filepath.Join(v.project.Vendor.Dir, filepath.FromSlash(m.Required.Path))
	if m.Required != j.v {
		r.Replaces = m.Required.String()
	}
	if m.LocalDir != "" {
		j.local()
		if m.InTree {
			r.Reason += ", as its copy in vendor/ is"
		}
		if len(v.wrong[i]) > 0 {
			j.differ(v.differences(i, nil))
		}
	} else if err := v.judge(ctx, j, i); err != nil {
		return r, err
	}
	r.OK = r.Status == Verified || r.Status == Exempt || r.Status == Local && m.InTree && v.policy.AllowLocal
	return r, nil
}

func (v *vendorCheck) judge(ctx context.Context, j *judgement, i int) error {
	j.listing = v.listings[i]
	if j.listing == nil {
		v.judgeUnlisted(j, len(v.wrong[i]) > 0, i)
		return nil
	}
	j.onDisk("vendor", j.at.tree, j.listing.H1().String())
	proof := j.gather()
	if j.report.Status != Unchecked {
		return nil
	}
	d, err := j.prove(ctx, proof)
	if err != nil || d.Outcome == policy.Denied {
		return err
	}
	recorded := slices.ContainsFunc(proof.pieces, func(p *piece) bool { return p.Of == policy.OfRecord && p.status == Verified })
	if d.Outcome == policy.Allowed || recorded {
		if changes := v.differences(i, j.listing); len(changes) > 0 {
			j.differ(changes)
			return nil
		}
		if v.checkGoLine(j); j.report.Status != Unchecked {
			return nil
		}
	} else if len(v.wrong[i]) > 0 {
		j.differ(v.differences(i, nil))
		return nil
	}
	j.pass(d)
	return nil
}

// judgeUnlisted judges a module whose files there is nothing to compare with.
// Only an exemption lets it pass.
func (v *vendorCheck) judgeUnlisted(j *judgement, wrong bool, i int) {
	p := &proof{pieces: j.index.recorded(j.v)}
	d := j.decide(policy.Subject{Module: j.v}, p.pieces)
	j.conclusion(p, d)
	switch {
	case wrong:
		j.differ(v.differences(i, nil))
	case d.Outcome == policy.Exempt:
		j.pass(d)
	case d.Outcome == policy.Allowed || len(p.pieces) > 0:
		j.verdict(NotLogged, "the bundle has no listing with the proven h1, and nothing else proves vendored files", "take a new snapshot of this project, without --no-listings")
	default:
		j.report.refuse(p.pieces, d, "take a new snapshot of this project, or have the module attested (modseal attest)")
	}
}

// stated is what the sealer says of a module in a vendor folder; nil for nothing.
func (v *vendorCheck) stated(m module.Version) *bundles.Vendored {
	if d := v.index.claimed(m); d != nil && v.believed {
		return d.Vendor
	}
	return nil
}

// checkGoLine compares the go line that modules.txt states for a module with that
// of the module's go.mod, which a vendor folder does not have: it decides what
// the module's code means (loop variables since go 1.22).
func (v *vendorCheck) checkGoLine(j *judgement) {
	s, got := v.stated(j.v), v.project.Vendor.GoLine(j.m.Required.Path)
	switch {
	case s == nil:
		v.unstated++
	case got == "" && !v.project.Vendor.GoLines:
	case got != s.Go:
		j.verdict(Mismatch, fmt.Sprintf("vendor/modules.txt states another go version than the module's go.mod\nmodules.txt: %s\ngo.mod:      %s   (as the bundle's sealer states it)", orNone(got), orNone(s.Go)), hintVendor)
	}
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

func (j *judgement) differ(changes []Difference) {
	reason := "vendored files differ from the proven listing"
	if !slices.ContainsFunc(changes, func(d Difference) bool { return d.Kind != modhash.Endings.String() }) {
		reason = "vendored files differ from the proven listing in their line endings alone, as git's core.autocrlf changes them"
		j.verdict(Mismatch, reason, "check vendor/ out with core.autocrlf=false, or with \"vendor/** -text\" in .gitattributes")
	} else {
		hint := hintVendor
		if !slices.ContainsFunc(changes, func(d Difference) bool {
			return d.Kind != modhash.Missing.String() || !strings.HasSuffix(d.File, ".go")
		}) {
			hint = hintIgnored + hintVendor
		}
		j.verdict(Mismatch, reason, hint)
	}
	j.report.setVendorDifferences(changes)
}

func (m *ModuleReport) setVendorDifferences(changes []Difference) {
	m.Differences = changes[:min(len(changes), maxDifferences)]
	m.MoreDiffs = len(changes) - len(m.Differences)
}

// differences compares what is on disk of a module with its proven listing; with
// none it gives only what is no file. Names are those in the project.
func (v *vendorCheck) differences(i int, want *modhash.Listing) []Difference {
	root := v.project.Modules[i].Required.Path
	var out []Difference
	for _, c := range v.wrong[i] {
		name := path.Join(root, c.Name)
		out = append(out, Difference{File: "vendor/" + name, Kind: v.kinds[name]})
	}
	if want == nil {
		return out
	}
	have := map[string]bool{}
	var ignored []string
	if s := v.stated(want.Module()); s != nil {
		ignored = s.Ignored
	}
	for _, f := range v.files[i] {
		have[f.Name] = true
		name := root + "/" + f.Name
		sum, ok := want.File(f.Name)
		switch {
		case !ok:
			out = append(out, Difference{File: "vendor/" + name, Kind: modhash.Extra.String()})
		case sum == f.SHA256:
		case v.endings[name]:
			out = append(out, Difference{File: "vendor/" + name, Kind: modhash.Endings.String()})
		default:
			out = append(out, Difference{File: "vendor/" + name, Kind: modhash.Changed.String()})
		}
	}
	for f := range want.Files() {
		name := root + "/" + f.Name
		if have[f.Name] || v.kinds[name] != "" {
			continue
		}
		if at, ok := v.project.Vendor.Package(path.Dir(name)); !ok || at != i {
			continue
		}
		_, left := slices.BinarySearch(ignored, f.Name)
		switch base := path.Base(f.Name); {
		case strings.HasSuffix(base, "_test.go") || base == "go.mod" || base == "go.sum":
		case left:
		default:
			out = append(out, Difference{File: "vendor/" + name, Kind: modhash.Missing.String()})
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return strings.Compare(a.File, b.File) })
	return out
}

// notes says what the verdicts do not cover.
func (v *vendorCheck) notes() []string {
	var out []string
	if n := v.project.Vendor.Unbuilt; n > 0 {
		out = append(out, fmt.Sprintf("modules of vendor/modules.txt without a package, of which the build reads nothing and which were not verified: %d", n))
	}
	if v.unstated > 0 {
		out = append(out, fmt.Sprintf("modules whose go version stands in vendor/modules.txt alone, because the bundle is not sealed or was not made of this project with its vendor folder: %d", v.unstated))
	}
	return out
}
