// Package benchset is the set of modules that modseal is measured with: what a large service would require, about 290
// modules of all sizes, with versions and sums that don't change.
package benchset

import _ "embed"

// GoMod is a go.mod file. Its requirements are complete: the go command has nothing to add.
//
//go:embed go.mod.txt
var GoMod []byte

// GoSum is the go.sum file that goes with it.
//
//go:embed go.sum.txt
var GoSum []byte
