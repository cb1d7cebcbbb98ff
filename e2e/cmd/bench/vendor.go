//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/e2e/benchset"
)

// vendored is a project with a vendor folder.
type vendored struct {
	project, vendor string
	copy            string // of the vendor folder
	bundle          string
	env             []string // of verify: with a module cache that has nothing in it
	modules         moduleSet
}

// vendorComparison is what measureVendor measures.
type vendorComparison struct {
	floor, modseal, diff times
	size                 floorResult
	memory               int64 // of modseal; bytes
}

// measureVendor lets SHA-256, modseal verify and diff -r take turns on Kubernetes' vendor folder.
func (b *bench) measureVendor(ctx context.Context) error {
	if b.quick {
		b.table.note("The vendor folder was left out: -quick.")
		return nil
	}
	v, err := b.prepareVendor(ctx)
	if err != nil {
		return err
	}
	list := filepath.Join(b.dir, "vendored-files")
	if err := os.WriteFile(list, []byte(v.vendor+"\n"), 0o644); err != nil {
		return err
	}
	var c vendorComparison
	if err := b.vendorRound(ctx, v, list, 0, new(vendorComparison)); err != nil { // see measureVerify
		return err
	}
	if err := b.rounds(func(n int) error { return b.vendorRound(ctx, v, list, n, &c) }); err != nil {
		return err
	}
	c.rows(&b.table, len(v.modules.modules))
	return b.vendorListings(ctx, v)
}

// prepareVendor makes the project, its vendor folder, a copy of that, and a bundle. Nothing of it is measured.
func (b *bench) prepareVendor(ctx context.Context) (*vendored, error) {
	v := &vendored{project: filepath.Join(b.dir, "kubernetes"), copy: filepath.Join(b.dir, "vendor-copy"), bundle: filepath.Join(b.dir, "kubernetes.modseal")}
	v.vendor = filepath.Join(v.project, "vendor")
	if err := writeProject(v.project, benchset.KubernetesGoMod, benchset.KubernetesGoSum); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(v.project, "kubernetes.go"), benchset.KubernetesGo, 0o644); err != nil {
		return nil, err
	}
	env := append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if _, _, err := (command{dir: v.project, env: env, args: []string{"go", "mod", "vendor"}}).run(ctx); err != nil {
		return nil, err
	}
	if err := os.CopyFS(v.copy, os.DirFS(v.vendor)); err != nil {
		return nil, err
	}
	if _, err := b.snapshotVendor(ctx, v, v.bundle); err != nil {
		return nil, err
	}
	v.env = b.goCmd.closed(filepath.Join(b.dir, "no-modcache"), "off")
	return v, b.checkVendor(ctx, v)
}

// snapshotVendor makes a bundle of the project, whose modules are in the user's module cache.
func (b *bench) snapshotVendor(ctx context.Context, v *vendored, output string, flags ...string) (usage, error) {
	env := append(b.goCmd.closed(b.goCmd.modCache, b.goCmd.proxy), "MODSEAL_CACHE="+filepath.Join(b.dir, "cache"))
	args := append([]string{b.modseal, "snapshot", "--rekor-url=off", "--seal-key", b.key + ".key", "-o", output}, flags...)
	u, _, err := command{dir: v.project, env: env, args: append(args, v.project)}.run(ctx)
	return u, err
}

func (b *bench) verifyVendor(ctx context.Context, v *vendored, flags ...string) (usage, []byte, error) {
	args := append([]string{b.modseal, "verify", "--seal-key", b.key + ".pub"}, flags...)
	return command{dir: v.project, env: v.env, args: append(args, v.bundle, v.project)}.run(ctx)
}

// checkVendor demands that every module is verified, by its files in the vendor folder and by nothing else, and that
// these are Kubernetes' modules. It notes where they are in the user's module cache.
func (b *bench) checkVendor(ctx context.Context, v *vendored) error {
	_, out, err := b.verifyVendor(ctx, v, "--format=json")
	if err != nil {
		return err
	}
	var report struct {
		Modules []struct {
			Path, Version, Status string
			OnDisk                []struct{ What string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, m := range report.Modules {
		if m.Status != "verified" || len(m.OnDisk) != 1 || m.OnDisk[0].What != "vendor" {
			return fmt.Errorf("%s@%s is %s, with %v on disk", m.Path, m.Version, m.Status, m.OnDisk)
		}
		path, err := module.EscapePath(m.Path)
		if err != nil {
			return err
		}
		version, err := module.EscapeVersion(m.Version)
		if err != nil {
			return err
		}
		dir := filepath.Join(b.goCmd.modCache, filepath.FromSlash(path)+"@"+version)
		v.modules.modules = append(v.modules.modules, downloaded{Path: m.Path, Version: m.Version, Dir: dir})
	}
	if !slices.ContainsFunc(v.modules.modules, func(m downloaded) bool { return m.Path == "k8s.io/kubernetes" }) {
		return fmt.Errorf("no k8s.io/kubernetes among %d modules", len(v.modules.modules))
	}
	return nil
}

// vendorRound is one turn of each, which change places from round to round.
func (b *bench) vendorRound(ctx context.Context, v *vendored, list string, n int, c *vendorComparison) error {
	turns := []func() error{
		func() (err error) {
			if c.size, err = runFloorChild(ctx, list); err == nil {
				c.floor.add(c.size.Elapsed, c.size.CPU)
			}
			return err
		},
		func() error {
			u, _, err := b.verifyVendor(ctx, v)
			c.modseal.add(u.elapsed, u.cpu)
			c.memory = max(c.memory, u.memory)
			return err
		},
		func() error {
			u, _, err := command{args: []string{"diff", "-r", v.vendor, v.copy}}.run(ctx)
			c.diff.add(u.elapsed, u.cpu)
			return err
		},
	}
	if n%2 == 1 {
		slices.Reverse(turns)
	}
	for _, turn := range turns {
		if err := turn(); err != nil {
			return err
		}
	}
	return nil
}

func (c *vendorComparison) rows(t *table, modules int) {
	t.section("verify of Kubernetes' vendor folder: %d modules, %d files, %.1f MB, warm; %d rounds as above",
		modules, c.size.Files, float64(c.size.Bytes)/1e6, len(c.floor.elapsed))
	c.floor.row(t, fmt.Sprintf("SHA-256 of the same files, %d workers", c.size.Workers))
	t.info("  finding the files before, which is not in it", "%.2f s", c.size.Find.Seconds())
	c.modseal.row(t, "modseal verify")
	c.diff.row(t, "diff -r of two copies")
	t.atMost("modseal verify / SHA-256", "%.2f", ratio(c.modseal.elapsed, c.floor.elapsed), 1.25)
	t.atMost("  the same in CPU seconds", "%.2f", ratio(c.modseal.cpu, c.floor.cpu), 1.25)
	t.info("modseal verify / diff -r", "%.2f", ratio(c.modseal.elapsed, c.diff.elapsed))
	t.info("  the same in CPU seconds", "%.2f", ratio(c.modseal.cpu, c.diff.cpu))
	t.atMost("peak memory of modseal verify", "%.0f MiB", mib(c.memory), 128)
	noteBusy(t, "SHA-256 of the vendor folder", c.floor, c.size.Workers)
}

// vendorListings compares what the listings add to the bundle with the hashes in them, which can't be compressed.
func (b *bench) vendorListings(ctx context.Context, v *vendored) error {
	plainFile := filepath.Join(b.dir, "kubernetes-plain.modseal")
	if _, err := b.snapshotVendor(ctx, v, plainFile, "--no-listings"); err != nil {
		return err
	}
	plain, err := b.inspect(ctx, plainFile)
	if err != nil {
		return err
	}
	full, err := b.inspect(ctx, v.bundle)
	if err != nil {
		return err
	}
	files, err := v.modules.countFiles()
	if err != nil {
		return err
	}
	size := full.Size - plain.Size
	b.table.info(fmt.Sprintf("listings of all %d files of the modules", files), "%d bytes", size)
	b.table.info("  for each file", "%.1f bytes", float64(size)/float64(files))
	b.table.atMost("listings / (32 bytes × files)", "%.3f", float64(size)/float64(sha256.Size*files), 1.25)
	return nil
}
