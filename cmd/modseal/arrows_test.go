package main

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const ourModule = "github.com/modseal/modseal/"

// arrows are the packages of ours that each package may import. What is not
// listed may import none.
var arrows = map[string]string{
	"cmd/modseal":          "internal/cli internal/sandbox",
	"internal/cli":         "snapshot verify bundles merkle internal/atomicfile internal/attest internal/diff internal/evidence internal/export internal/fetch internal/gomod internal/heads internal/keys internal/limit internal/materialize internal/modhash internal/policy internal/report internal/sandbox internal/seal internal/sign internal/state internal/trust internal/standin internal/tufchain internal/tuffetch",
	"snapshot":             "verify bundles merkle internal/atomicfile internal/evidence internal/fetch internal/gomod internal/limit internal/modhash internal/policy internal/rekor internal/sumdb internal/trust",
	"verify":               "bundles merkle internal/evidence internal/gobinary internal/gomod internal/keys internal/limit internal/modhash internal/policy internal/trust internal/tufchain",
	"bundles":              "merkle internal/limit",
	"internal/attest":      "internal/atomicfile internal/evidence internal/keys internal/limit internal/modhash internal/sign",
	"internal/diff":        "bundles merkle internal/evidence internal/modhash internal/policy internal/report internal/seal",
	"internal/evidence":    "bundles merkle internal/keys internal/limit internal/modhash",
	"internal/export":      "bundles merkle internal/evidence internal/gomod",
	"internal/gobinary":    "internal/limit internal/modhash",
	"internal/gomod":       "internal/limit",
	"internal/heads":       "bundles internal/limit",
	"internal/materialize": "verify bundles internal/gomod internal/modhash",
	"internal/policy":      "internal/keys",
	"internal/rekor":       "merkle internal/fetch",
	"internal/report":      "verify",
	"internal/seal":        "bundles internal/evidence internal/keys internal/policy internal/trust",
	"internal/sign":        "bundles internal/evidence internal/fetch internal/keys internal/limit internal/policy internal/rekor internal/trust",
	"internal/state":       "verify bundles internal/atomicfile internal/limit",
	"internal/sumdb":       "merkle internal/atomicfile internal/evidence internal/fetch internal/trust",
	"internal/testlog":     "bundles merkle",
	"internal/trust":       "merkle internal/keys",
	"internal/tufchain":    "internal/limit",
	"internal/tuffetch":    "internal/atomicfile internal/fetch internal/tufchain",
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func listPackages(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", ourModule+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, ourModule)] = p
	}
}

// Property: packages import each other only as the design draws it, and package
// merkle nothing but the standard library and transparency-dev/merkle.
func TestArrows(t *testing.T) {
	for name, p := range listPackages(t) {
		allowed := strings.Fields(arrows[name])
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, ourModule); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, which no arrow of the design leads to", name, ours)
			}
			first, _, _ := strings.Cut(i, "/")
			if name == "merkle" && strings.Contains(first, ".") && !strings.HasPrefix(i, "github.com/transparency-dev/merkle") {
				t.Errorf("merkle imports %s", i)
			}
		}
	}
}

// Property: neither package verify nor any package of ours that it reaches, nor
// the report, imports what opens a network connection or starts a process. The
// control: package snapshot reaches both, so the test can tell.
func TestVerifyIsOffline(t *testing.T) {
	all := listPackages(t)
	forbidden := func(root string) (found []string) {
		for _, name := range append(all[root].Deps, ourModule+root) {
			ours, ok := strings.CutPrefix(name, ourModule)
			if !ok {
				continue
			}
			for _, i := range all[ours].Imports {
				if i == "net" || i == "net/http" || i == "os/exec" || i == "golang.org/x/mod/zip" || i == "golang.org/x/mod/sumdb" {
					found = append(found, ours+" imports "+i)
				}
			}
		}
		return found
	}
	for _, root := range []string{"verify", "bundles", "merkle", "internal/materialize", "internal/report", "internal/seal"} {
		if len(all[root].Imports) == 0 {
			t.Errorf("%s: no such package", root)
		}
		for _, f := range forbidden(root) {
			t.Errorf("%s reaches the outside: %s", root, f)
		}
	}
	if len(forbidden("snapshot")) < 2 {
		t.Errorf("the test finds nothing in package snapshot: %q", forbidden("snapshot"))
	}
}
