package bundles

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/modseal/modseal/merkle"
)

// Manifest says what a bundle holds and what it was made from. It is the
// sealer's word: nothing in it proves anything about a module.
type Manifest struct {
	MediaType string     `json:"mediaType"`
	Created   string     `json:"created"`   // RFC 3339, UTC, whole seconds
	Projects  []Project  `json:"projects"`  // what it was made of, besides artifacts; sorted by module, workspace, go; each once
	Logs      []LogInfo  `json:"logs"`      // sorted by kind, name, log ID, size; logs[i] is in logs/i/
	Modules   []Module   `json:"modules"`   // sorted by path, then version; each once
	Artifacts []Artifact `json:"artifacts"` // sorted by name, then digests; each once
	Listings  bool       `json:"listings"`  // whether every module's listing is in listings/
	Files     []File     `json:"files"`     // every file but the manifest, the listings and the module files, sorted by name
}

// Kind is the sort of a log.
type Kind string

// The kinds of logs of format version 1.
const (
	SumDB   Kind = "sumdb"    // a Go checksum database
	RekorV1 Kind = "rekor-v1" // one shard of a Rekor v1
	RekorV2 Kind = "rekor-v2" // one shard of a Rekor v2
)

// LogInfo names a log, and at which tree size the bundle proves its entries. One
// log may be there at several sizes: publishers hand out proofs against the head
// of their day, and without a network they can't be brought to one.
type LogInfo struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name"`            // the checksum database's name; Rekor: the checkpoint's origin line
	LogID string `json:"logID,omitempty"` // Rekor: the log's ID in the trusted root, hex
	Size  uint64 `json:"size"`            // of the checkpoint's tree
	Tiles bool   `json:"tiles,omitempty"` // whether the bundle has the tiles from which the go command proves the entries; of checksum databases
}

// LogKey tells logs apart: what is signed by one key in one name is one log.
type LogKey struct {
	Kind Kind
	Name string
	ID   string // LogInfo.LogID
}

// Key tells which log it is.
func (l *LogInfo) Key() LogKey { return LogKey{l.Kind, l.Name, l.LogID} }

// Compare orders logs by kind, name, and ID.
func (k LogKey) Compare(other LogKey) int {
	return cmp.Or(cmp.Compare(k.Kind, other.Kind), strings.Compare(k.Name, other.Name), strings.Compare(k.ID, other.ID))
}

// Module is a module of the dependency set that the snapshot was taken of.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Zip     string `json:"zip,omitempty"`     // SHA-256 of the zip, hex
	Listing string `json:"listing,omitempty"` // h1 in hex; with listings: the name of the file in listings/
	Entries []Ref  `json:"entries,omitempty"` // the entries that speak of it, sorted
	LeftOut int    `json:"leftOut,omitempty"` // entries that the snapshot saw and did not keep

	Carried *Carried `json:"carried,omitempty"` // its files, if the bundle has them: of every module or of none
	// Vendor is there if the project was built from its vendor folder.
	Vendor *Vendored `json:"vendor,omitempty"`
}

// Vendored is what a vendor folder's files and their hashes alone don't say of a
// module.
type Vendored struct {
	Go      string   `json:"go,omitempty"`      // of its go.mod's go line
	Ignored []string `json:"ignored,omitempty"` // Go files that "go mod vendor" leaves out, by name in the module, sorted
}

func (v *Vendored) check() error {
	if v == nil {
		return nil
	}
	if v.Go != "" && !modfile.GoVersionRE.MatchString(v.Go) {
		return fmt.Errorf("go line %.60q", v.Go)
	}
	for _, name := range v.Ignored {
		if !strings.HasSuffix(name, ".go") || module.CheckFilePath(name) != nil {
			return fmt.Errorf("%.200q is not the name of a Go file", name)
		}
	}
	if !strictlySorted(v.Ignored, strings.Compare) {
		return errors.New("names of files are not sorted, or one is there twice")
	}
	return nil
}

// Ref names an entry: the log by its place in Manifest.Logs, the entry by its
// index in that log.
type Ref struct {
	Log   int    `json:"log"`
	Index uint64 `json:"index"`
}

// File is a file of the payload.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
}

// CreatedAt is the time that the manifest states.
func (m *Manifest) CreatedAt() (time.Time, error) {
	t, err := time.Parse(time.RFC3339, m.Created)
	if err != nil || t.UTC().Format(time.RFC3339) != m.Created {
		return time.Time{}, fmt.Errorf("%w: manifest: created %.40q is not RFC 3339 in UTC", ErrDamaged, m.Created)
	}
	return t, nil
}

func (m *Manifest) encode(lim limits) ([]byte, error) {
	if err := m.check(lim); err != nil {
		return nil, err
	}
	for i := range m.Projects {
		project, err := encodeInside(&m.Projects[i], "  ", " ")
		if err != nil {
			return nil, err
		}
		if err := over("an element of projects", int64(len(project)-1), lim.project, "bytes"); err != nil {
			return nil, err
		}
	}
	b, err := encodeJSON(m, " ")
	if err != nil {
		return nil, err
	}
	return b, over(ManifestName, int64(len(b)), lim.manifest, "bytes")
}

func decodeManifest(from io.Reader, lim limits) (*Manifest, error) {
	m, err := readManifest(from, lim)
	if err == nil {
		err = m.check(lim)
	}
	switch {
	case err == nil:
		return m, nil
	case errors.Is(err, ErrVersion), errors.Is(err, ErrDamaged), errors.Is(err, errReading):
		return nil, err
	}
	return nil, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
}

// readManifest reads the members, in their encoding. Order and uniqueness remain to
// be checked.
func readManifest(from io.Reader, lim limits) (*Manifest, error) {
	var m Manifest
	r := newManifestReader(from)
	r.token(json.Delim('{'))
	r.token("mediaType")
	r.value("mediaType", lim.module, &m.MediaType)
	if r.err == nil && m.MediaType != MediaType {
		return nil, fmt.Errorf("%w %.100q (this version reads %s)", ErrVersion, m.MediaType, MediaType)
	}
	r.same(r.begin("mediaType"), &m.MediaType, "")
	r.member("created", lim.module, &m.Created)
	m.Projects = readList(r, "projects", lim.projects, lim.project, func(p *Project) error { return p.check(lim) })
	m.Logs = readList(r, "logs", lim.logs, lim.module, (*LogInfo).check)
	m.Modules = readList(r, "modules", lim.modules, lim.module, func(d *Module) error { return d.check(len(m.Logs)) })
	m.Artifacts = readList(r, "artifacts", lim.artifacts, lim.module, func(a *Artifact) error { return a.check(len(m.Logs)) })
	r.member("listings", lim.module, &m.Listings)
	m.Files = readList(r, "files", lim.logs*len(logFiles(lim))+lim.trustFiles, lim.module, func(*File) error { return nil })
	r.end()
	return &m, r.err
}

// check demands order, uniqueness and ranges. What a module's entries refer to
// is checked by checkRefs, when the logs are known.
func (m *Manifest) check(lim limits) error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: manifest: %s", ErrDamaged, fmt.Sprintf(format, a...))
	}
	if m.MediaType != MediaType {
		return fmt.Errorf("%w %.100q", ErrVersion, m.MediaType)
	}
	if _, err := m.CreatedAt(); err != nil {
		return err
	}
	if len(m.Projects) > lim.projects {
		return bad("%d projects (at most %d)", len(m.Projects), lim.projects)
	}
	for _, p := range m.Projects {
		if err := p.check(lim); err != nil {
			return bad("%v", err)
		}
	}
	if len(m.Logs) > lim.logs || len(m.Modules) > lim.modules || len(m.Artifacts) > lim.artifacts {
		return bad("%d logs, %d modules and %d artifacts (at most %d, %d and %d)", len(m.Logs), len(m.Modules), len(m.Artifacts), lim.logs, lim.modules, lim.artifacts)
	}
	for _, l := range m.Logs {
		if err := l.check(); err != nil {
			return bad("%v", err)
		}
	}
	for _, d := range m.Modules {
		if err := d.check(len(m.Logs)); err != nil {
			return bad("%v", err)
		}
	}
	for _, a := range m.Artifacts {
		if err := a.check(len(m.Logs)); err != nil {
			return bad("%v", err)
		}
	}
	switch {
	case !strictlySorted(m.Projects, compareProjects):
		return bad("projects are not sorted, or one is there twice")
	case !strictlySorted(m.Artifacts, compareArtifacts):
		return bad("artifacts are not sorted, or one is there twice")
	case !strictlySorted(m.Logs, compareLogs):
		return bad("logs are not sorted, or one is there twice")
	case !strictlySorted(m.Modules, CompareModules):
		return bad("modules are not sorted, or one is there twice")
	case !strictlySorted(m.Files, compareFiles):
		return bad("files are not sorted, or one is there twice")
	}
	if err := m.checkCarried(lim); err != nil {
		return err
	}
	return m.checkTiles()
}

func (l *LogInfo) check() error {
	if l.Name == "" || len(l.Name) > 512 || !utf8.ValidString(l.Name) || strings.ContainsFunc(l.Name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return fmt.Errorf("log name %.60q", l.Name)
	}
	switch l.Kind {
	case SumDB:
		if l.LogID != "" {
			return fmt.Errorf("checksum database %.60q has a log ID", l.Name)
		}
	case RekorV1, RekorV2:
		if !isHex(l.LogID) {
			return fmt.Errorf("log ID %.80q", l.LogID)
		}
	default:
		return fmt.Errorf("log kind %.60q", l.Kind)
	}
	if l.Size == 0 || l.Size > merkle.MaxSize {
		return fmt.Errorf("log %.60q: a tree of %d", l.Name, l.Size)
	}
	return nil
}

func (d *Module) check(logs int) error {
	if module.Check(d.Path, d.Version) != nil || module.CanonicalVersion(d.Version) != d.Version { // an error of Check has hostile text as it is
		return fmt.Errorf("%.200q is not a module version", d.Path+"@"+d.Version)
	}
	if (d.Zip != "" && !isHex(d.Zip)) || (d.Listing != "" && !isHex(d.Listing)) {
		return fmt.Errorf("%s@%s: digest is not 64 lower-case hex digits", d.Path, d.Version)
	}
	if d.LeftOut < 0 {
		return fmt.Errorf("%s@%s: leftOut %d", d.Path, d.Version, d.LeftOut)
	}
	if err := errors.Join(checkRefs(d.Entries, logs), d.Vendor.check()); err != nil {
		return fmt.Errorf("%s@%s: %w", d.Path, d.Version, err)
	}
	return nil
}

// checkRefs demands that entries are of logs that there are, in order.
func checkRefs(refs []Ref, logs int) error {
	for _, r := range refs {
		if r.Log < 0 || r.Log >= logs {
			return fmt.Errorf("entry of log %d of %d", r.Log, logs)
		}
	}
	if !strictlySorted(refs, compareRefs) {
		return errors.New("entries are not sorted, or one is there twice")
	}
	return nil
}

// checkRefs demands that the entries that modules and artifacts refer to are
// there.
func (m *Manifest) checkRefs(logs []Log) error {
	check := func(refs []Ref) error {
		for _, r := range refs {
			if r.Log < 0 || r.Log >= len(logs) {
				return fmt.Errorf("refers to log %d of %d", r.Log, len(logs))
			}
			if _, ok := logs[r.Log].Entry(r.Index); !ok {
				return fmt.Errorf("refers to entry %d of log %d, which is not there", r.Index, r.Log)
			}
		}
		return nil
	}
	for _, d := range m.Modules {
		if err := check(d.Entries); err != nil {
			return fmt.Errorf("%w: manifest: %s@%s %w", ErrDamaged, d.Path, d.Version, err)
		}
	}
	for _, a := range m.Artifacts {
		if err := check(a.Entries); err != nil {
			return fmt.Errorf("%w: manifest: artifact %q %w", ErrDamaged, a.Name, err)
		}
	}
	return nil
}

// listingDigests are the names of the files in listings/: sorted, each once.
func (m *Manifest) listingDigests() []string {
	var d []string
	if !m.Listings {
		return nil
	}
	for _, mod := range m.Modules {
		if mod.Listing != "" {
			d = append(d, mod.Listing)
		}
	}
	slices.Sort(d)
	return slices.Compact(d)
}

// Sort brings projects, modules, artifacts and the entries of each into the order that
// the format demands, each project once. Logs it leaves alone, because entries refer to them by their place:
// order the logs before entries refer to them.
func (m *Manifest) Sort() {
	slices.SortFunc(m.Projects, compareProjects)
	m.Projects = slices.CompactFunc(m.Projects, func(a, b Project) bool { return compareProjects(a, b) == 0 })
	slices.SortFunc(m.Modules, CompareModules)
	for _, d := range m.Modules {
		slices.SortFunc(d.Entries, compareRefs)
	}
	slices.SortFunc(m.Artifacts, compareArtifacts)
	for _, a := range m.Artifacts {
		slices.SortFunc(a.Entries, compareRefs)
	}
}

func (m *Manifest) sortFiles() { slices.SortFunc(m.Files, compareFiles) }

func compareLogs(a, b LogInfo) int {
	return cmp.Or(a.Key().Compare(b.Key()), cmp.Compare(a.Size, b.Size))
}

// CompareModules orders modules by path, then version, bytewise.
func CompareModules(a, b Module) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Version, b.Version))
}

func compareFiles(a, b File) int { return strings.Compare(a.Name, b.Name) }

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.Index, b.Index))
}

func strictlySorted[T any](s []T, compare func(a, b T) int) bool {
	for i := 1; i < len(s); i++ {
		if compare(s[i-1], s[i]) >= 0 {
			return false
		}
	}
	return true
}

// ParseHex reads a SHA-256 digest in 64 lower-case hex digits.
func ParseHex(s string) ([32]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || !isHex(s) {
		return [32]byte{}, fmt.Errorf("%w: %.80q is not 64 lower-case hex digits", ErrDamaged, s)
	}
	return [32]byte(b), nil
}

func isHex(s string) bool { return isHexOf(s, 32) }

// isHexOf tells whether s is so many bytes in lower-case hex.
func isHexOf(s string, size int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == size && strings.ToLower(s) == s
}
