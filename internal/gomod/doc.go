// Package gomod tells what modules a build of a Go project uses, and where
// their files are, from files alone: go.mod, go.sum, go.work, the go command's
// settings and the layout of its module cache. It never runs the go command and never
// uses the network, so that it gives the same answer inside an enclave as
// outside, and can be trusted to have looked only.
//
// # The dependency set
//
// [Load] gives the set that "go mod download" without arguments gives:
//
//   - A main module at go 1.17 or later lists every module that its packages
//     and tests need, so the set is its requirements. A go command in its
//     default -mod=readonly refuses to build when that list is not complete.
//
//   - An older main module, or one without a go line, lists only what it needs
//     directly. The set is then the result of minimal version selection over
//     the whole module graph (https://go.dev/ref/mod#minimal-version-selection),
//     computed from the go.mod files in the module cache. Every go.mod file that
//     was read for it is in the set as well (Module.GoModOnly), because whoever
//     can change one of these files can change the set.
//
//   - A workspace (go.work) has several main modules. The set is the result of minimal
//     version selection over the graph that the go command reads for it: all that the
//     main modules require, and of what a module since go 1.17 requires only the names
//     and versions, unless another main module has it upgraded. Every go.mod file that
//     was read is in the set here too. The main modules are not, wherever they lie.
//
// All are taken after the main modules' exclude directives, and the replace directives of
// go.work and then of the main modules.
// e2e/catalogue holds the first two against the go command's for real projects.
//
// A project that is built from its vendor folder has, if asked for ([ReadVendor]), the
// modules to which vendor/modules.txt gives packages, once that file was held against
// go.mod, or against go.work and the go.mod files of the workspace.
//
// What the go command refuses of a workspace is refused, and so is one more thing: main
// modules of which one replaces a version of a module and another one all its versions by
// something else. There the go command goes by the order of go.work.
//
// # What it does not do
//
//   - It authenticates nothing. go.mod files of dependencies, zips and go.sum are
//     read as they are; comparing them with evidence is the caller's next step.
//   - It doesn't look whether a module's content is on disk.
//   - The set covers the packages and tests of the main module. Naming packages of
//     a dependency to the go command ("go run example.com/dep/cmd") can bring in
//     modules that neither go.mod nor "go mod download" lists.
//   - With -mod=mod the go command may edit go.mod in the middle of a build. The set
//     is that of the go.mod that was read; Project.Mod says when this is so.
//   - Toolchains are no part of the set: Project.SelectToolchain tells which one the go
//     command runs. What ships with them (golang.org/fips140) is theirs.
//   - The settings of godebug directives are not looked at.
//   - Overlays and GOPATH mode are refused with an [UnsupportedError].
package gomod
