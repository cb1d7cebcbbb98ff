//go:build unix

package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/testlog"
)

// worldCommand is the argument that makes this program a world: a project of so many modules, its module cache, and the
// checksum database that recorded them.
const worldCommand = "world"

// partModules are those of the project beside it that needs a few of them.
const partModules = 300

// worldDatabase is what that process prints once all is there.
type worldDatabase struct{ Key, URL string }

// runWorld makes the world in dir, and serves the database on loopback until standard input ends. Each module is a zip of
// a go.mod and a small Go file; it is not unpacked.
func runWorld(dir string, n int) error {
	db := testlog.NewSumDB("sum.bench.example")
	var all, part strings.Builder
	for i := range n {
		m := module.Version{Path: fmt.Sprintf("example.com/%03d/module%06d", i/1000, i), Version: "v1.0.0"}
		if err := makeModule(filepath.Join(dir, "modcache", "cache", "download"), m, db); err != nil {
			return err
		}
		fmt.Fprintf(&all, "\t%s %s\n", m.Path, m.Version)
		if i*partModules/n != (i-1)*partModules/n || i == 0 {
			fmt.Fprintf(&part, "\t%s %s\n", m.Path, m.Version)
		}
	}
	for name, requires := range map[string]string{"project": all.String(), "part": part.String()} {
		goMod := fmt.Sprintf("module example.com/%s\n\ngo 1.26.0\n\nrequire (\n%s)\n", name, requires)
		if err := writeProject(filepath.Join(dir, name), []byte(goMod), nil); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	if err := json.NewEncoder(os.Stdout).Encode(worldDatabase{db.Key(), "http://" + l.Addr().String()}); err != nil {
		return err
	}
	go http.Serve(l, db) // ends with the process
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// makeModule writes what the go command has of a module that it downloaded and did not unpack, and records it.
func makeModule(download string, m module.Version, db *testlog.SumDB) error {
	goMod := []byte("module " + m.Path + "\n\ngo 1.26.0\n")
	source := []byte("// Package m is " + m.Path + ".\npackage m\n")
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	listing := ""
	for _, f := range []struct {
		name string
		data []byte
	}{{"go.mod", goMod}, {"m.go", source}} {
		name := m.String() + "/" + f.name
		file, err := w.Create(name)
		if err == nil {
			_, err = file.Write(f.data)
		}
		if err != nil {
			return err
		}
		listing += fmt.Sprintf("%x  %s\n", sha256.Sum256(f.data), name)
	}
	if err := w.Close(); err != nil {
		return err
	}
	dir := filepath.Join(download, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{".zip": z.Bytes(), ".mod": goMod} {
		if err := os.WriteFile(filepath.Join(dir, m.Version+name), data, 0o644); err != nil {
			return err
		}
	}
	db.Add(m, modhash.H1(sha256.Sum256([]byte(listing))).String(), modhash.GoModH1(goMod).String())
	return nil
}

// parseWorld reads the arguments of worldCommand.
func parseWorld(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return runWorld(args[0], n)
}
