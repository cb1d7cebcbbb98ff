package snapshot

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/verify"
)

// finish builds the payload, runs the verifier on it, seals it and writes the
// bundle.
func (c *collector) finish(ctx context.Context) error {
	payload := c.payload()
	c.phase(Phase{Name: "check and seal"})
	unsealed, drop, err := atomicfile.Unnamed(c.Output)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	defer func() { _ = drop() }()
	w := bufio.NewWriterSize(unsealed, 1<<20)
	err = bundles.WritePayload(w, payload)
	if full := w.Flush(); full != nil { // then that is why the payload could not be written
		return fmt.Errorf("output: %w", full)
	}
	if err == nil {
		err = c.listings.close() // they are in the payload
	}
	if err != nil {
		return err
	}
	size, err := unsealed.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if err := c.selfCheck(ctx, unsealed, size); err != nil {
		return err
	}
	return c.seal(unsealed, size)
}

// payload numbers the logs, ties the modules to their entries, and states what
// the snapshot is of.
func (c *collector) payload() *bundles.Payload {
	slices.SortFunc(c.logs, func(a, b collectedLog) int {
		return cmp.Or(a.Key().Compare(b.Key()), cmp.Compare(a.Proof.Size, b.Proof.Size))
	})
	p := &bundles.Payload{Manifest: bundles.Manifest{
		Created:   c.Created.UTC().Truncate(time.Second).Format(time.RFC3339),
		Modules:   make([]bundles.Module, len(c.modules())),
		Artifacts: make([]bundles.Artifact, len(c.Artifacts)),
	}}
	for _, one := range c.projects {
		p.Manifest.Projects = append(p.Manifest.Projects, verify.ProjectOf(one.Project))
	}
	entries := make([]*[]bundles.Ref, len(c.subjects))
	for i, m := range c.subjects {
		if m.artifact != nil {
			a := &p.Manifest.Artifacts[i-len(p.Manifest.Modules)]
			*a = m.artifact.Manifest()
			a.LeftOut, entries[i] = m.leftOut, &a.Entries
			continue
		}
		d := bundles.Module{Path: m.Path, Version: m.Version, LeftOut: m.leftOut, Carried: m.carried, Vendor: m.vendored}
		if m.zip != nil {
			d.Zip = m.zip.String()
		}
		if m.h1 != nil {
			d.Listing = m.h1.Hex()
		}
		p.Manifest.Modules[i] = d
		entries[i] = &p.Manifest.Modules[i].Entries
	}
	for n, l := range c.logs {
		l.Size = l.Proof.Size
		p.Logs = append(p.Logs, l.Log)
		c.summary.Logs = append(c.summary.Logs, l.LogInfo)
		c.summary.Entries = append(c.summary.Entries, len(l.Entries))
		c.summary.Nodes += len(l.Proof.Nodes)
		for index, subjects := range l.speaks {
			for _, i := range subjects {
				if ref := (bundles.Ref{Log: n, Index: index}); !slices.Contains(*entries[i], ref) {
					*entries[i] = append(*entries[i], ref)
				}
			}
		}
	}
	if c.Anchor != nil {
		p.Trust = c.Anchor.Chain
	}
	p.Manifest.Sort()
	if c.listings != nil {
		p.Listing = c.listings.get
	}
	if c.carried != nil {
		p.Carry, p.Tiles = c.carried.open, c.tiles
	}
	return p
}

// seal signs the payload and writes the bundle beside its place, then renames
// it.
func (c *collector) seal(payload *os.File, size int64) error {
	var seals [][]byte
	if c.Seal != nil {
		digests, err := bundles.DigestsOf(payload, size)
		if err != nil {
			return err
		}
		s, err := c.Seal(digests)
		if err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		seals = append(seals, s)
	}
	err := atomicfile.Write(c.Output, func(w io.Writer) error {
		return bundles.WriteFile(w, seals, io.NewSectionReader(payload, 0, size), size)
	})
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	info, err := os.Stat(c.Output)
	if err != nil {
		return err
	}
	c.summary.Size = info.Size()
	c.phase(Phase{Name: "check and seal", Done: fmt.Sprintf("%s, %d kB", c.Output, (info.Size()+500)/1000)})
	return nil
}
