package modhash

import (
	"path"
	"slices"
	"strings"
)

// notInModule are the folders of a Go distribution that its golang.org/toolchain module
// does not have (cmd/distpack/pack.go). No build reads them.
var notInModule = [...]string{"api/", "doc/", "misc/", "test/"}

// Toolchain gives the listing that the zip of a golang.org/toolchain module has, from that
// of a tree which is l: a module's zip can have no go.mod but at its root, so that in it
// those of a toolchain are called _go.mod.
//
//   - The go command puts a copy of each _go.mod beside it, under the name go.mod, before
//     it runs the toolchain (func Exec in cmd/go/internal/toolchain/select.go). A go.mod
//     with the same content is left out.
//   - Where distribution is set, the tree may be that of a Go distribution: each go.mod
//     without a _go.mod beside it stands for that, and the folders that the module does
//     not have are left out.
//
// Whatever else differs from the zip makes another listing.
func Toolchain(l *Listing, distribution bool) (*Listing, error) {
	files := make([]File, 0, len(l.files))
	for _, f := range l.files {
		if distribution && slices.ContainsFunc(notInModule[:], func(dir string) bool { return strings.HasPrefix(f.Name, dir) }) {
			continue
		}
		if dir, base := path.Split(f.Name); base == "go.mod" {
			switch sum, ok := l.File(dir + "_go.mod"); {
			case ok && sum == f.SHA256:
				continue
			case !ok && distribution:
				f.Name = dir + "_go.mod"
			}
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return newListing(l.module, files)
}
