// Package export takes the standard pieces out of a bundle, so that others' tools
// can check them.
package export

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/merkle"
)

// Sigstore writes every Rekor entry of a bundle as a Sigstore bundle (media type
// version 0.3) into dir, and tells how many. Checksum-database records have no
// such form. Names are
//
//	PATH@VERSION.WHAT.N.sigstore.json   of a module, escaped as in the module cache
//	artifacts/NAME.N.sigstore.json      of an artifact; NAME is its digest if it has none
//	others/LOG.INDEX.sigstore.json      of what the manifest ties to neither
//
// WHAT is zip, listing, statement or other, by what was signed; N counts from 0.
// What speaks of several modules is there for each. Nothing is verified: that is
// for whoever uses the pieces.
func Sigstore(b *bundles.Bundle, dir *os.Root) (int, error) {
	e := &exporter{bundle: b, dir: dir, logs: make([]*merkle.Proven, len(b.Logs)), done: map[bundles.Ref]bool{}}
	for _, m := range b.Manifest.Modules {
		if err := e.module(m); err != nil {
			return e.n, err
		}
	}
	for _, a := range b.Manifest.Artifacts {
		name := a.Name
		for _, d := range []struct{ algorithm, hex string }{{"sha256", a.SHA256}, {"sha384", a.SHA384}, {"sha512", a.SHA512}} {
			if name == "" && d.hex != "" {
				name = d.algorithm + "-" + d.hex
			}
		}
		for i, ref := range a.Entries {
			if err := e.write(ref, path.Join("artifacts", name+"."+strconv.Itoa(i)), nil); err != nil {
				return e.n, err
			}
		}
	}
	return e.n, e.others()
}

type exporter struct {
	bundle *bundles.Bundle
	dir    *os.Root
	logs   []*merkle.Proven // once they were needed
	done   map[bundles.Ref]bool
	n      int
}

func (e *exporter) module(m bundles.Module) error {
	escapedPath, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	escapedVersion, err := module.EscapeVersion(m.Version)
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, ref := range m.Entries {
		err := e.write(ref, escapedPath+"@"+escapedVersion, func(c *evidence.Claim) string {
			what := kindFor(c, m)
			n := count[what]
			count[what]++
			return fmt.Sprintf(".%s.%d", what, n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// kindFor says what of a module was signed.
func kindFor(c *evidence.Claim, m bundles.Module) string {
	switch {
	case c.Statement != nil:
		return "statement"
	case c.Digest.Hex == m.Zip:
		return "zip"
	case c.Digest.Hex == m.Listing:
		return "listing"
	}
	return "other"
}

// others writes what no module and no artifact refers to.
func (e *exporter) others() error {
	for i := range e.bundle.Logs {
		l := &e.bundle.Logs[i]
		for _, entry := range l.Entries {
			ref := bundles.Ref{Log: i, Index: entry.Index}
			if e.done[ref] || l.Kind == bundles.SumDB {
				continue
			}
			if err := e.write(ref, fmt.Sprintf("others/%d.%d", i, entry.Index), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes an entry, unless it is of a checksum database or of a kind that
// is not read. More is what its name has besides.
func (e *exporter) write(ref bundles.Ref, name string, more func(*evidence.Claim) string) error {
	l := &e.bundle.Logs[ref.Log]
	if l.Kind == bundles.SumDB {
		return nil
	}
	proven, err := e.proven(ref.Log)
	if err != nil {
		return fmt.Errorf("log %q: %w", l.Name, err)
	}
	entry, _ := l.Entry(ref.Index) // bundles.Open checked that it is there
	in, err := proven.Inclusion(ref.Index)
	if err != nil {
		return err
	}
	full, err := evidence.OfBundle(l, entry, in)
	if err != nil {
		return err
	}
	c, err := full.Claim()
	if errors.Is(err, evidence.ErrUnsupported) {
		e.done[ref] = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("log %q: entry %d: %w", l.Name, ref.Index, err)
	}
	if more != nil {
		name += more(c)
	}
	data, err := full.MarshalSigstore()
	if err != nil {
		return fmt.Errorf("log %q: entry %d: %w", l.Name, ref.Index, err)
	}
	name = filepath.FromSlash(name + ".sigstore.json")
	if err := e.dir.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	e.done[ref] = true
	e.n++
	return e.create(name, data)
}

// create writes a file that must not be there yet.
func (e *exporter) create(name string, data []byte) error {
	f, err := e.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// proven recomputes a log's tree head from its multiproof. It must be that of
// the checkpoint: else no piece would verify.
func (e *exporter) proven(log int) (*merkle.Proven, error) {
	if e.logs[log] != nil {
		return e.logs[log], nil
	}
	l := &e.bundle.Logs[log]
	leaves := l.LeafHashes()
	root, err := l.Proof.Root(leaves)
	if err != nil {
		return nil, err
	}
	tree := merkle.Tree{Size: l.Proof.Size, Root: root}
	want := []string{strconv.FormatUint(tree.Size, 10), base64.StdEncoding.EncodeToString(root[:])}
	if lines := strings.SplitN(string(l.Checkpoint), "\n", 4); len(lines) < 4 || !slices.Equal(lines[1:3], want) {
		return nil, errors.New("its entries do not lead to the tree head of its checkpoint")
	}
	e.logs[log], err = l.Proof.Expand(tree, leaves)
	return e.logs[log], err
}
