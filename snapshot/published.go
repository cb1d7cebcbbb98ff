package snapshot

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
)

const (
	maxAttestationFile   = 64 << 20 // bytes of one file, of one Sigstore bundle or many
	maxAttestationLines  = 2_000    // lines of one file that are not empty
	maxAttestationProofs = 2_000    // log entries in one file; and time stamps, which count for each entry beside them
	maxAttestationFiles  = 100_000  // files in one folder
)

// maxFileErrors is how many errors a PublishedError has.
const maxFileErrors = 20

// PublishedError says which Sigstore bundles can't be used, and why.
type PublishedError struct {
	Files []FileError // the first of them
	More  int         // that are not among Files
	// Unproven is set when one of them is no good, rather than that the log could
	// not be asked for what they lack.
	Unproven bool
}

// FileError is what is wrong with a file, or with a line of it.
type FileError struct {
	File string
	Line int // of a file of several lines, else 0
	Err  error
}

func (e FileError) Error() string { return fmt.Sprintf("%s: %v", place(e.File, e.Line), e.Err) }

// Unwrap gives what is wrong.
func (e FileError) Unwrap() error { return e.Err }

// place names a file, or a line of it.
func place(file string, line int) string {
	if line > 0 {
		return fmt.Sprintf("%s: line %d", file, line)
	}
	return file
}

func (e *PublishedError) Error() string {
	var b strings.Builder
	b.WriteString("attestations that do not verify; nothing was written:")
	for _, f := range e.Files {
		fmt.Fprintf(&b, "\n%v", f)
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.More)
	}
	return b.String()
}

// Unwrap gives the errors of the files.
func (e *PublishedError) Unwrap() []error {
	out := make([]error, len(e.Files))
	for i, f := range e.Files {
		out[i] = f
	}
	return out
}

// Hint says what to do about them.
func (e *PublishedError) Hint() string {
	switch {
	case errors.Is(e, trust.ErrUntrustedLog):
		return "name the log's public key with --rekor-public-key, or a trusted root that has it with --trusted-root"
	case !e.Unproven:
		return "try again, or leave them out of --attestations"
	}
	return "get them anew from their publishers, or leave them out of --attestations"
}

func (e *PublishedError) add(f FileError) {
	var asked *fetch.Error
	e.Unproven = e.Unproven || !errors.As(f.Err, &asked) || errors.Is(asked, fs.ErrNotExist)
	if len(e.Files) < maxFileErrors {
		e.Files = append(e.Files, f)
	} else {
		e.More++
	}
}

// collectPublished reads the Sigstore bundles that the user gave, and keeps the
// entries of those that speak of a subject and verify. One that speaks of a
// subject and does not verify, or that can't be read, is an error: nobody gave
// it for nothing.
func (c *collector) collectPublished(ctx context.Context) error {
	if len(c.Attestations) == 0 {
		return nil
	}
	files, err := attestationFiles(c.Attestations, maxAttestationFiles)
	if err != nil {
		return err
	}
	c.phase(Phase{Name: "read attestations", Total: int64(len(files)), Unit: "files"})
	about := map[evidence.Digest][]int{}
	for i := range c.subjects {
		for _, d := range c.subjects[i].digests() {
			about[d] = append(about[d], i)
		}
	}
	if c.byCertificate, err = evidence.NewVerifier(c.Trust.Sigstore); err != nil {
		return err
	}
	bad := &PublishedError{}
	bundles, kept := 0, 0
	for _, name := range files {
		data, err := readAttestations(name, maxAttestationFile)
		if err != nil {
			return err
		}
		var sum costs
		for _, part := range splitAttestations(data) {
			bundles++
			n, speaks, err := c.usePublished(ctx, part.data, place(name, part.line), about, &sum)
			kept += n
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case sum.exceeded(name) != nil:
				return fmt.Errorf("attestations: %w", sum.exceeded(name))
			case err != nil:
				bad.add(FileError{File: name, Line: part.line, Err: err})
			case !speaks:
				c.summary.Unused++
			}
		}
		c.count(1)
	}
	if len(bad.Files) > 0 {
		return bad
	}
	c.phase(Phase{Name: "read attestations", Done: fmt.Sprintf("%d Sigstore bundles, %d entries kept, %d bundles of nothing here", bundles, kept, c.summary.Unused)})
	return nil
}

// costs are what of a file takes time to verify: log entries, and the time stamps of each.
type costs struct{ entries, stamps int }

// take counts what a Sigstore bundle has.
func (c *costs) take(published []evidence.Published) {
	c.entries += len(published)
	for i := range published {
		c.stamps += len(published[i].Timestamps)
	}
}

// exceeded says what a file has too many of.
func (c *costs) exceeded(name string) error {
	switch {
	case c.entries > maxAttestationProofs:
		return &limit.Error{What: name, Max: maxAttestationProofs, Unit: "log entries"}
	case c.stamps > maxAttestationProofs:
		return &limit.Error{What: name, Max: maxAttestationProofs, Unit: "time stamps"}
	}
	return nil
}

// attestation is a Sigstore bundle of a file.
type attestation struct {
	data []byte
	line int // in a file of several, else 0
}

// splitAttestations gives the Sigstore bundles of a file: of a file of JSON lines
// each line that is not empty, else the file itself, however wrong it is.
func splitAttestations(file []byte) []attestation {
	parts := evidence.SplitLines(file)
	if !slices.ContainsFunc(parts, json.Valid) {
		return []attestation{{data: file}}
	}
	if len(parts) == 1 {
		return []attestation{{data: parts[0]}}
	}
	var out []attestation
	line := 0
	for l := range bytes.Lines(file) {
		line++
		if l = bytes.TrimSpace(l); len(l) > 0 {
			out = append(out, attestation{l, line})
		}
	}
	return out
}

// usePublished keeps the entries of one Sigstore bundle if it speaks of a
// subject, and tells how many and whether it does. Those in logs that are not
// trusted, or without a proven time of their own, are left out if there are others.
// What of it is costly counts for its file: once that has too much, nothing is verified.
func (c *collector) usePublished(ctx context.Context, file []byte, from string, about map[evidence.Digest][]int, sum *costs) (kept int, speaks bool, err error) {
	published, err := evidence.ReadBundle(file)
	if err != nil {
		return 0, false, err
	}
	var subjects []int
	for _, d := range published[0].Claim.Digests() { // the same of all its entries
		subjects = append(subjects, about[d]...)
	}
	if len(subjects) == 0 {
		return 0, false, nil
	}
	if sum.take(published); sum.exceeded(from) != nil {
		return 0, true, nil
	}
	slices.Sort(subjects)
	subjects = slices.Compact(subjects)
	left := 0
	var unusable error // of what does not make the rest of the bundle worse
	for i := range published {
		p := &published[i]
		if _, err := c.Trust.RekorLog(p.LogID); err != nil {
			unusable, left = err, left+1
			continue
		}
		err := c.checkPublished(ctx, p, subjects)
		if errors.Is(err, evidence.ErrNoTime) {
			unusable, left = err, left+1 // the time of its sister in a Rekor v1 is not its own
			continue
		}
		if err != nil {
			return kept, true, err
		}
		isNew, err := c.keep(&p.Entry, from, subjects)
		if err != nil {
			return kept, true, err
		}
		if isNew {
			kept++
		}
	}
	if left == len(published) {
		return 0, true, unusable
	}
	return kept, true, nil
}

// checkPublished completes an entry from the log if it must be, and verifies it,
// whoever signed it.
func (c *collector) checkPublished(ctx context.Context, p *evidence.Published, subjects []int) error {
	if !p.Proven || !p.V2 && len(p.SET) == 0 {
		for _, i := range subjects {
			if m := &c.subjects[i]; c.client != nil && m.artifact == nil && c.private(m.v) && PublicRekor(c.RekorURL) {
				return fmt.Errorf("%s, and the public Rekor is not asked about %s, which is private", lacks(p), m.v)
			}
		}
		if err := c.complete(ctx, p); err != nil {
			return err
		}
	}
	open := c.Trust.OpenRekorV1
	if p.V2 {
		open = c.Trust.OpenRekorV2
	}
	head, err := open(p.LogID, p.Checkpoint)
	if err != nil {
		return err
	}
	if head.Tree != p.Inclusion.Tree {
		return fmt.Errorf("its inclusion proof is in a tree of %d with root %x, its checkpoint is of %d with %x",
			p.Inclusion.Tree.Size, p.Inclusion.Tree.Root, head.Tree.Size, head.Tree.Root)
	}
	verifier := c.byCertificate // which remembers what many entries have in common
	if p.Claim.Certificate == nil {
		if verifier, err = evidence.NewVerifier(c.Trust.Sigstore, p.Claim.Key); err != nil {
			return err
		}
	}
	_, err = verifier.Verify(&p.Entry, p.Claim)
	return err
}

// lacks says what of a proof is not there.
func lacks(p *evidence.Published) string {
	if p.Proven {
		return "it has no signed entry timestamp"
	}
	return "it has no inclusion proof with a signed checkpoint"
}

// complete gets what a Sigstore bundle lacks from the Rekor that is asked.
func (c *collector) complete(ctx context.Context, p *evidence.Published) error {
	if p.V2 {
		return errors.New(lacks(p) + ", and a Rekor v2 can't be asked for one")
	}
	if c.client == nil {
		return errors.New(lacks(p) + ": give the Rekor that has its entry with --rekor-url")
	}
	leaf := merkle.LeafHash(p.Body)
	entries, err := c.client.Entries(ctx, []rekor.UUID{rekor.UUID(hex.EncodeToString(leaf[:]))})
	if err != nil {
		return fmt.Errorf("%s, and the log gives none: %w", lacks(p), err)
	}
	for _, e := range entries {
		if e.LogID == p.LogID && e.LogIndex == p.LogIndex && bytes.Equal(e.Body, p.Body) {
			p.Inclusion, p.Checkpoint, p.SET, p.IntegratedTime, p.Proven = e.Inclusion, e.Checkpoint, e.SET, e.IntegratedTime, true
			return nil
		}
	}
	return fmt.Errorf("%s, and the log has no such entry", lacks(p))
}

// attestationFiles lists the files that are meant, folders by what is in them: at
// most max of each.
func attestationFiles(names []string, max int) ([]string, error) {
	var out []string
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("attestations: %w", err)
		}
		if !info.IsDir() {
			out = append(out, name)
			continue
		}
		before := len(out)
		// with a separator behind it, a symbolic link to a folder is one
		err = filepath.WalkDir(name+string(filepath.Separator), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !isAttestation(file) {
				return err
			}
			if out = append(out, file); len(out)-before > max {
				return &limit.Error{What: name, Max: int64(max), Unit: "files"}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("attestations: %w", err)
		}
		if len(out) == before {
			return nil, fmt.Errorf("attestations: no *.sigstore.json, *.sigstore or *.jsonl file in %s", name)
		}
	}
	return out, nil
}

func isAttestation(name string) bool {
	return strings.HasSuffix(name, ".sigstore.json") || strings.HasSuffix(name, ".sigstore") || strings.HasSuffix(name, ".jsonl")
}

func readAttestations(name string, max int64) ([]byte, error) {
	data, err := limit.ReadFile(name, max)
	if err != nil {
		return nil, fmt.Errorf("attestations: %w", err)
	}
	lines := 0
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if lines++; lines > maxAttestationLines {
			return nil, fmt.Errorf("attestations: %w", &limit.Error{What: name, Max: maxAttestationLines, Unit: "lines"})
		}
	}
	return data, nil
}
