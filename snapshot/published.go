package snapshot

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/merkle"
)

const (
	maxAttestationFile  = 256 << 20 // bytes of one file, of one Sigstore bundle or many
	maxAttestationFiles = 100_000   // files in one folder
)

// PublishedError says which Sigstore bundles can't be used, and why.
type PublishedError struct {
	Files []FileError
}

// FileError is what is wrong with a file, or with a line of it.
type FileError struct {
	File string
	Line int // of a file of several lines, else 0
	Err  error
}

func (e FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s: line %d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.File, e.Err)
}

func (e *PublishedError) Error() string {
	var b strings.Builder
	b.WriteString("attestations that do not verify; nothing was written:")
	for i, f := range e.Files {
		if i == 20 {
			fmt.Fprintf(&b, "\nand %d more", len(e.Files)-i)
			break
		}
		fmt.Fprintf(&b, "\n%v", f)
	}
	return b.String()
}

// collectPublished reads the Sigstore bundles that the user gave, and keeps the
// entries of those that speak of a subject and verify. One that speaks of a
// subject and does not verify, or that can't be read, is an error: nobody gave
// it for nothing.
func (c *collector) collectPublished(ctx context.Context) error {
	if len(c.Attestations) == 0 {
		return nil
	}
	files, err := attestationFiles(c.Attestations)
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
	bad := &PublishedError{}
	bundles, kept := 0, 0
	for _, name := range files {
		data, err := readAttestations(name)
		if err != nil {
			return err
		}
		parts := evidence.SplitLines(data)
		for n, part := range parts {
			bundles++
			used, err := c.usePublished(ctx, part, about)
			kept += used
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				e := FileError{File: name, Err: err}
				if len(parts) > 1 {
					e.Line = n + 1
				}
				bad.Files = append(bad.Files, e)
			case used == 0:
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

// usePublished keeps the entries of one Sigstore bundle if it speaks of a
// subject. Those in logs that are not trusted, or without a proven time of their
// own, are left out if there are others.
func (c *collector) usePublished(ctx context.Context, file []byte, about map[evidence.Digest][]int) (int, error) {
	published, err := evidence.ReadBundle(file)
	if err != nil {
		return 0, err
	}
	var subjects []int
	for _, d := range published[0].Claim.Digests() { // the same of all its entries
		subjects = append(subjects, about[d]...)
	}
	if len(subjects) == 0 {
		return 0, nil
	}
	slices.Sort(subjects)
	subjects = slices.Compact(subjects)
	used, left := 0, 0
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
			return used, err
		}
		if c.keep(&p.Entry, subjects) {
			used++
		}
	}
	if left == len(published) {
		return 0, unusable
	}
	return max(used, 1), nil
}

// checkPublished completes an entry from the log if it must be, and verifies it,
// whoever signed it.
func (c *collector) checkPublished(ctx context.Context, p *evidence.Published, subjects []int) error {
	if !p.Proven || !p.V2 && len(p.SET) == 0 {
		for _, i := range subjects {
			if m := &c.subjects[i]; m.artifact == nil && c.private(m.v) && PublicRekor(c.RekorURL) {
				return fmt.Errorf("%s, and the public Rekor is not asked about %s, which is private", lacksProof, m.v)
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
	verifier, err := evidence.NewVerifier(c.Trust.Sigstore, p.Claim.Key)
	if err != nil {
		return err
	}
	_, err = verifier.Verify(&p.Entry, p.Claim)
	return err
}

const lacksProof = "it has no inclusion proof with a signed checkpoint"

// complete gets what a Sigstore bundle lacks from the Rekor that is asked.
func (c *collector) complete(ctx context.Context, p *evidence.Published) error {
	if p.V2 {
		return errors.New(lacksProof + ", and a Rekor v2 can't be asked for one")
	}
	if c.client == nil {
		return errors.New(lacksProof + ": give the Rekor that has its entry with --rekor-url")
	}
	leaf := merkle.LeafHash(p.Body)
	entries, err := c.client.Entries(ctx, []rekor.UUID{rekor.UUID(hex.EncodeToString(leaf[:]))})
	if err != nil {
		return fmt.Errorf("%s, and the log gives none: %w", lacksProof, err)
	}
	for _, e := range entries {
		if e.LogID == p.LogID && e.LogIndex == p.LogIndex && bytes.Equal(e.Body, p.Body) {
			p.Inclusion, p.Checkpoint, p.SET, p.IntegratedTime, p.Proven = e.Inclusion, e.Checkpoint, e.SET, e.IntegratedTime, true
			return nil
		}
	}
	return fmt.Errorf("%s, and the log has no such entry", lacksProof)
}

// attestationFiles lists the files that are meant, folders by what is in them.
func attestationFiles(names []string) ([]string, error) {
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
		err = filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !isAttestation(file) {
				return err
			}
			if out = append(out, file); len(out)-before > maxAttestationFiles {
				return &limit.Error{What: name, Max: maxAttestationFiles, Unit: "files"}
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

func readAttestations(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("attestations: %w", err)
	}
	defer f.Close()
	data, err := limit.ReadAll(f, name, maxAttestationFile)
	if err != nil {
		return nil, fmt.Errorf("attestations: %w", err)
	}
	return data, nil
}
