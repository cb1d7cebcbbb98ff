package verify

import (
	"context"
	"errors"
	"strings"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
)

// CarriedName is what a report calls the folder of the module files that a
// bundle carries: where they are in its payload.
const CarriedName = "cache/download"

// ErrNotCarried says that a bundle has no module files.
var ErrNotCarried = errors.New("the bundle carries no module files")

// CheckCarried judges the module files that an opened bundle carries, all of
// them, after the caller has written them into dir as a file:// GOPROXY. It is
// Check without a project: by the same evidence and policy, and as if a build
// read the zip of every module, or its go.mod alone where no zip is carried. That
// they are all that a project needs is for Check to say.
//
// Tiles of a checksum database in dir must lead from its records to the proven root;
// ErrDamaged tells of others. Those of a database that is not trusted are left to the
// go command to judge, and a note says so.
//
// Of the request Dir, Zips, ModCache, Artifacts and what opens a bundle are not
// used; b was opened with its Seals. The report calls dir [CarriedName]: there is
// no other place yet.
func CheckCarried(ctx context.Context, r Request, b *bundles.Bundle, dir string) (*Report, error) {
	if !b.Manifest.CarriesModules() {
		return nil, ErrNotCarried
	}
	if r.Policy == nil {
		r.Policy = &Policy{}
	}
	if r.Trust == nil {
		return nil, errNoTrust
	}
	r.Dir, r.Zips, r.ModCache, r.Artifacts, r.OwnManifest = "", dir, "", nil, false
	e := &enclave{project: &gomod.Project{Sums: &gomod.SumFile{}}, places: places{dir: dir}}
	var err error
	if e.places.zips, err = gomod.OpenZipDir(dir); err != nil {
		return nil, err
	}
	for _, d := range b.Manifest.Modules {
		m := gomod.Module{Path: d.Path, Version: d.Version, GoModOnly: d.Carried.Zip == 0}
		m.Required.Path, m.Required.Version = d.Path, d.Version
		e.project.Modules = append(e.project.Modules, m)
	}
	out, err := r.judge(ctx, e, b, r.newReader(e))
	if err != nil {
		return nil, err
	}
	if err := out.checkTiles(b, dir); err != nil {
		return nil, err
	}
	out.carried(dir)
	return out, nil
}

// hintCarried takes the place of advice about a module cache.
const hintCarried = "take a new snapshot; if it recurs, distrust who seals the bundles or where the snapshot's modules come from"

// carried brings what the report says of a folder that nobody knows into terms
// of the bundle.
func (r *Report) carried(dir string) {
	r.Project.Zips = CarriedName
	name := strings.NewReplacer(dir, CarriedName)
	for i := range r.Modules {
		m := &r.Modules[i]
		m.Reason = name.Replace(m.Reason)
		for k := range m.OnDisk {
			m.OnDisk[k].File = name.Replace(m.OnDisk[k].File)
		}
		if !m.OK && m.Hint == hintRefetch {
			m.Hint = hintCarried
		}
	}
}
