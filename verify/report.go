package verify

import (
	"fmt"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/modhash"
)

// Report says of every module of the dependency set what was found. It is the
// same whatever format it is written in; docs/report.md describes its JSON.
type Report struct {
	OK        bool             `json:"ok"`    // every module, artifact and module of a binary is verified, exempt or an allowed local
	Notes     []string         `json:"notes"` // what whoever relies on it must know besides
	Bundle    BundleReport     `json:"bundle"`
	Project   ProjectReport    `json:"project"`
	Policy    PolicyReport     `json:"policy"`
	Trust     *TrustReport     `json:"trust,omitempty"` // nil if no trust chain was walked
	Age       *AgeReport       `json:"age,omitempty"`   // nil if no age is too great
	State     *StateReport     `json:"state,omitempty"` // nil if no state is kept
	Logs      []LogReport      `json:"logs"`
	Counts    map[string]int   `json:"counts"` // by status; the sum is that of modules, artifacts and modules of binaries
	Modules   []ModuleReport   `json:"modules"`
	Artifacts []ArtifactReport `json:"artifacts,omitempty"`
	Binaries  []BinaryReport   `json:"binaries,omitempty"`
	Sandbox   *SandboxReport   `json:"sandbox,omitempty"` // set by whoever entered one before Check; nil if nobody says

	// Remember is what to keep in place of Request.State, if OK; nil without that.
	Remember *State `json:"-"`
}

// SandboxReport says what the verifying process had given up before it read the
// bundle.
type SandboxReport struct {
	Mode     string   `json:"mode"`     // what was asked for: require, auto or off
	Landlock int      `json:"landlock"` // ABI version in force; 0 is none
	Seccomp  bool     `json:"seccomp"`  // whether a filter is in force
	Lacks    []string `json:"lacks"`    // why not all is
}

// BundleReport describes the bundle and who sealed it.
type BundleReport struct {
	File    string    `json:"file,omitempty"`
	SHA256  string    `json:"sha256"`  // of payload.tar.zst, hex
	Created time.Time `json:"created"` // as the sealer states it
	// Projects are what it was made of, as the sealer states it; empty if of artifacts alone.
	Projects []bundles.Project `json:"projects"`
	SealedBy []string          `json:"sealedBy"` // whose seals were accepted; empty only if seals were ignored
}

// ProjectReport says what was verified.
type ProjectReport struct {
	Dir      string `json:"dir"`                // the main module's root, or the folder of go.work
	Module   string `json:"module"`             // the main module's path; "" of a workspace
	Go       string `json:"go,omitempty"`       // of go.mod's go line, or go.work's
	Mod      string `json:"mod"`                // how the go command treats go.mod: readonly, mod or vendor
	ModCache string `json:"modcache,omitempty"` // where modules were read from
	Zips     string `json:"zips,omitempty"`
	Vendor   string `json:"vendor,omitempty"` // the vendor folder, in place of both
	// Materialized is the module cache that they were copied to, where the copies
	// were verified. It is there if the report is OK, and only then.
	Materialized string `json:"materialized,omitempty"`

	Work      string       `json:"work,omitempty"`      // of a workspace: its go.work file, and
	Workspace []MainReport `json:"workspace,omitempty"` // its main modules, sorted by path
}

// MainReport describes a main module of a workspace.
type MainReport struct {
	Path string `json:"path"`
	Dir  string `json:"dir"` // relative to that of go.work if it lies below it
	Go   string `json:"go,omitempty"`
}

// PolicyReport says by what rules.
type PolicyReport struct {
	File    string   `json:"file,omitempty"`    // the policy file, or
	Require string   `json:"require,omitempty"` // what the flag asks for
	Signers []string `json:"signers"`
	SumDBs  []string `json:"sumdbs"`
}

// LogReport is the verdict on one log.
type LogReport struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	LogID   string `json:"logID,omitempty"`
	Entries int    `json:"entries"`
	Size    uint64 `json:"size,omitempty"` // of the proven tree
	Root    string `json:"root,omitempty"` // of the proven tree, hex
	// Witnesses are those of the policy who cosigned the checkpoint.
	Witnesses []string `json:"witnesses,omitempty"`
	Proven    bool     `json:"proven"` // signed by a trusted key, and all entries lead to its root
	Problem   string   `json:"problem,omitempty"`
}

// ModuleReport is the verdict on one module.
type ModuleReport struct {
	Path      string `json:"path"`
	Version   string `json:"version"`
	Replaces  string `json:"replaces,omitempty"` // path@version that go.mod requires, if this replaces it
	Dir       string `json:"dir,omitempty"`      // of a local module
	GoModOnly bool   `json:"goModOnly,omitempty"`
	Verdict
	OnDisk      []Content    `json:"onDisk,omitempty"`
	Differences []Difference `json:"differences,omitempty"` // files that differ from the proven listing
	MoreDiffs   int          `json:"moreDifferences,omitempty"`
}

// ArtifactReport is the verdict on one artifact. Of its digests those are there
// that are known.
type ArtifactReport struct {
	Name   string `json:"name,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	SHA384 string `json:"sha384,omitempty"`
	SHA512 string `json:"sha512,omitempty"`
	Verdict
}

// String is the artifact's name, or a digest of what has none.
func (a *ArtifactReport) String() string {
	switch {
	case a.Name != "":
		return a.Name
	case a.SHA256 != "":
		return "sha256:" + a.SHA256
	case a.SHA384 != "":
		return "sha384:" + a.SHA384
	}
	return "sha512:" + a.SHA512
}

// BinaryReport says of a Go binary what it says of itself, and gives the verdict
// on each module that it names.
type BinaryReport struct {
	Name    string         `json:"name"`
	SHA256  string         `json:"sha256"`
	Go      string         `json:"go"`             // version of the toolchain, which is not judged
	Package string         `json:"package"`        // path of the main package
	Main    string         `json:"main,omitempty"` // path@version of its module: the source, which is not judged unless it is among Modules
	Modules []BinaryModule `json:"modules"`
}

// BinaryModule is the verdict on a module that a binary names.
type BinaryModule struct {
	Path     string `json:"path"`
	Version  string `json:"version"`
	Replaces string `json:"replaces,omitempty"` // path@version in whose place it was used
	Dir      string `json:"dir,omitempty"`      // of a local module
	H1       string `json:"h1,omitempty"`       // of the content, as the binary names it or the bundle proves it
	H1From   string `json:"h1From,omitempty"`   // binary, or bundle if the binary names none
	Verdict
}

// Verdict is what was found of a module or an artifact.
type Verdict struct {
	Status   Status           `json:"status"`
	OK       bool             `json:"ok"`                // whether the status lets the build go on
	Reason   string           `json:"reason,omitempty"`  // why, unless verified
	Hint     string           `json:"hint,omitempty"`    // what to do
	Rule     string           `json:"rule,omitempty"`    // of the policy that decided
	Explain  []string         `json:"explain,omitempty"` // how, if that was asked for
	Evidence []EvidenceReport `json:"evidence,omitempty"`
}

func (v *Verdict) set(s Status, reason, hint string) { v.Status, v.Reason, v.Hint = s, reason, hint }

// Content is something of the module that was hashed.
type Content struct {
	What   string `json:"what"` // zip, tree, vendor or go.mod
	File   string `json:"file"`
	Digest string `json:"digest"` // h1:..., or sha256:... of a zip's bytes; of vendor, the h1 of the listing that its files were compared with
}

// EvidenceReport is one entry that speaks of the module.
type EvidenceReport struct {
	Log   string `json:"log"`   // its name
	Index uint64 `json:"index"` // in the log; of Rekor v1 over all shards
	// Of is what was logged: record, of a checksum database; or what was signed:
	// zip, listing, statement, signature (over an artifact), or other content.
	Of            string    `json:"of"`
	PredicateType string    `json:"predicateType,omitempty"` // of a statement
	Digest        string    `json:"digest"`
	Signer        string    `json:"signer,omitempty"` // as the policy names it, or as the entry does
	Time          time.Time `json:"time,omitzero"`    // when it provably was logged
	Accepted      bool      `json:"accepted"`         // it counted for what the policy asks
	Why           string    `json:"why,omitempty"`    // not accepted
}

// Difference is a file that is not as the listing has it.
type Difference struct {
	File string `json:"file"`
	Kind string `json:"kind"` // changed, missing or extra; in a vendor folder also what it is in place of a file
}

// maxDifferences is how many files a report names for one module.
const maxDifferences = 20

func (m *ModuleReport) setDifferences(changes []modhash.Change) {
	for i, c := range changes {
		if i == maxDifferences {
			m.MoreDiffs = len(changes) - i
			return
		}
		m.Differences = append(m.Differences, Difference{File: c.Name, Kind: fmt.Sprint(c.Kind)})
	}
}

// verdicts are those on all modules, artifacts and modules of binaries.
func (r *Report) verdicts() []*Verdict {
	var out []*Verdict
	for i := range r.Modules {
		out = append(out, &r.Modules[i].Verdict)
	}
	for i := range r.Artifacts {
		out = append(out, &r.Artifacts[i].Verdict)
	}
	for i := range r.Binaries {
		for j := range r.Binaries[i].Modules {
			out = append(out, &r.Binaries[i].Modules[j].Verdict)
		}
	}
	return out
}

// finish counts, and decides whether all is well: only if there is a module or
// an artifact, each has a verdict, and each verdict lets the build go on.
func (r *Report) finish() {
	r.Counts = map[string]int{}
	all := r.verdicts()
	r.OK = len(all) > 0
	for _, v := range all {
		r.Counts[v.Status.String()]++
		r.OK = r.OK && v.OK
	}
}
