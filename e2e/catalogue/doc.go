// Package catalogue tests that the dependency set which package internal/gomod reads from files is the go command's own,
// for the go.mod files of real projects: those of large ones, of every kind of directive, and from before Go 1.17, when
// the set took the whole module graph.
//
// A project is its published go.mod, pinned by h1, in a folder of its own, with a folder for each directory that the
// go.mod replaces a module by. The go command runs on it with an empty module cache, then internal/gomod reads the same
// files. A module proxy on loopback stands between the go command and the first one of GOPROXY. It passes on go.mod files,
// each once for all projects, and makes up everything else: zips have a go.mod and one line of Go in them, because the
// set is compared, not the content.
//
// Without a network the test is skipped.
package catalogue
