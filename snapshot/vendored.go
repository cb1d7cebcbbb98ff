package snapshot

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/modhash"
)

const (
	maxGoFile       = 32 << 20  // bytes of a Go file that is looked into
	maxIgnoredNames = 256 << 10 // bytes of the names of one module's files that are stated
)

// describeVendored states what hashes alone can't say about a module in a vendor
// folder: the go line of its go.mod, which decides what its code means and stands
// there in modules.txt alone, and the Go files that go mod vendor leaves out.
func (c *collector) describeVendored(ctx context.Context, cache *gomod.Cache, m *collected, l *modhash.Listing) (*bundles.Vendored, error) {
	name, err := cache.Mod(m.v)
	if err != nil {
		return nil, err
	}
	data, err := gomod.ReadRegular(name, modhash.MaxGoMod)
	if err != nil {
		return nil, err
	}
	if err := gomod.CheckBounded(name, data); err != nil {
		return nil, err
	}
	f, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return nil, fmt.Errorf("go.mod: %w", err)
	}
	v := &bundles.Vendored{}
	if f.Go != nil {
		v.Go = f.Go.Version
	}
	files, done, err := moduleFiles(cache, m)
	if err != nil {
		return nil, err
	}
	defer done()
	size := 0
	for file := range l.Files() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !strings.HasSuffix(file.Name, ".go") || strings.HasSuffix(file.Name, "_test.go") || hidden(file.Name) {
			continue
		}
		data, err := readFile(files, file.Name)
		if err != nil {
			return nil, err
		}
		if sha256.Sum256(data) != file.SHA256 {
			return nil, fmt.Errorf("%q changed while it was read", file.Name)
		}
		if !ignored(data) {
			continue
		}
		if size += len(file.Name); size > maxIgnoredNames {
			break // the verifier then misses the others, and says so
		}
		v.Ignored = append(v.Ignored, file.Name)
	}
	return v, nil
}

// moduleFiles opens the zip, or the unpacked tree where there is no zip.
func moduleFiles(cache *gomod.Cache, m *collected) (files fs.FS, done func(), err error) {
	if m.zip == nil {
		dir, err := cache.Tree(m.v)
		return os.DirFS(dir), func() {}, err
	}
	name, err := cache.Zip(m.v)
	if err != nil {
		return nil, nil, err
	}
	z, err := zip.OpenReader(name) // hashed a moment ago, within limits
	if err != nil {
		return nil, nil, err
	}
	if files, err = fs.Sub(z, m.v.String()); err != nil {
		err = errors.Join(err, z.Close())
	}
	return files, func() { z.Close() }, err
}

func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return limit.ReadAll(f, name, maxGoFile)
}

// hidden tells of files in folders that no package can be in.
func hidden(name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if base := path.Base(dir); base == "testdata" || base[0] == '_' || base[0] == '.' {
			return true
		}
	}
	return false
}

// ignored tells whether go mod vendor leaves the Go file out: its build constraint
// can't hold whatever the tags are, as long as "ignore" is not one of them
// (https://pkg.go.dev/cmd/go#hdr-Build_constraints).
func ignored(src []byte) bool {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", src, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		return false
	}
	ownLine := func(c *ast.Comment) bool {
		at := files.File(f.Package).Offset(c.Pos())
		before := bytes.TrimPrefix(src[bytes.LastIndexByte(src[:at], '\n')+1:at], []byte("\ufeff"))
		return len(bytes.TrimSpace(before)) == 0
	}
	block := false // ends the lines that "+build" may be among
	var plus []constraint.Expr
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			break
		}
		for _, comment := range group.List {
			switch {
			case strings.HasPrefix(comment.Text, "/*"):
				block = true
			case constraint.IsGoBuild(comment.Text) && ownLine(comment):
				x, err := constraint.Parse(comment.Text)
				return err == nil && !satisfiable(x, true)
			case constraint.IsPlusBuild(comment.Text) && group != f.Doc && !block:
				if x, err := constraint.Parse(comment.Text); err == nil {
					plus = append(plus, x)
				}
			}
		}
	}
	for _, x := range plus {
		if !satisfiable(x, true) {
			return true
		}
	}
	return false
}

// satisfiable evaluates a constraint with every tag taken to be what makes it
// hold, prefer, and "ignore" to be unset.
func satisfiable(x constraint.Expr, prefer bool) bool {
	switch x := x.(type) {
	case *constraint.TagExpr:
		return x.Tag != "ignore" && prefer
	case *constraint.NotExpr:
		return !satisfiable(x.X, !prefer)
	case *constraint.AndExpr:
		return satisfiable(x.X, prefer) && satisfiable(x.Y, prefer)
	case *constraint.OrExpr:
		return satisfiable(x.X, prefer) || satisfiable(x.Y, prefer)
	}
	return true
}
