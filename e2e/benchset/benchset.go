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

// KubernetesGoMod and KubernetesGoSum are those of a project whose vendor folder is what Kubernetes' commands are built
// from: it requires k8s.io/kubernetes, and the modules that are directories there at the versions that were published
// with it. go mod tidy has nothing to add.
//
//go:embed kubernetes.mod.txt
var KubernetesGoMod []byte

//go:embed kubernetes.sum.txt
var KubernetesGoSum []byte

// KubernetesGo is the project's one file, which imports the commands.
//
//go:embed kubernetes.go.txt
var KubernetesGo []byte
