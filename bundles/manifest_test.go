package bundles_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// lie is a change to a manifest, which stays in its one encoding.
type lie struct {
	name string
	edit func(m *bundles.Manifest)
	want string // in the message
}

// refuseLies demands that each lie alone is refused, with a message that says
// which it is and that is fit to be shown.
func refuseLies(t *testing.T, lies []lie) {
	t.Helper()
	files := unpack(t, write(t, sample(true)))
	for _, c := range lies {
		b, err := open(repacked(t, edited(t, files, c.edit)))
		wantDamaged(t, c.name, b, err)
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\x1b\u009b\u202e") {
			t.Errorf("%s: message %q is not fit to be shown", c.name, err)
		}
	}
}

// Property: the time is RFC 3339 in UTC, in its one form.
func TestLiesAboutTheTime(t *testing.T) {
	created := func(s string) func(m *bundles.Manifest) {
		return func(m *bundles.Manifest) { m.Created = s }
	}
	refuseLies(t, []lie{
		{"no time", created(""), "is not RFC 3339 in UTC"},
		{"a zone", created("2026-01-02T03:04:05+01:00"), "is not RFC 3339 in UTC"},
		{"zone +00:00", created("2026-01-02T03:04:05+00:00"), "is not RFC 3339 in UTC"},
		{"parts of a second", created("2026-01-02T03:04:05.5Z"), "is not RFC 3339 in UTC"},
		{"small t", created("2026-01-02t03:04:05Z"), "is not RFC 3339 in UTC"},
		{"no such day", created("2026-02-30T03:04:05Z"), "is not RFC 3339 in UTC"},
		{"second 60", created("2026-01-02T03:04:60Z"), "is not RFC 3339 in UTC"},
	})
}

// Property: a workspace is named by the paths of its main modules, in order, and is no main
// module besides.
func TestLiesAboutTheWorkspace(t *testing.T) {
	workspace := func(module string, paths ...string) func(m *bundles.Manifest) {
		return func(m *bundles.Manifest) { m.Projects = []bundles.Project{{Module: module, Workspace: paths}} }
	}
	refuseLies(t, []lie{
		{"a main module too", workspace("example.com/main", "example.com/a"), `project "example.com/main" is a main module and a workspace`},
		{"unsorted", workspace("", "example.com/b", "example.com/a"), "main modules are not sorted"},
		{"twice", workspace("", "example.com/a", "example.com/a"), "main modules are not sorted, or one is there twice"},
		{"no path", workspace("", ""), `"" is not the path of a main module`},
		{"escape", workspace("", "example.com/\x1b[2J"), `"example.com/\x1b[2J" is not the path of a main module`},
		{"no UTF-8", workspace("", "example.com/\xff"), "is not the path of a main module"},
		{"long", workspace("", "a b"+strings.Repeat("x", 1000)), "is not the path of a main module"},
	})
	paths := make([]string, bundles.MaxMains+1)
	for i := range paths {
		paths[i] = fmt.Sprintf("example.com/m%06d", i)
	}
	files := unpack(t, write(t, sample(true)))
	b, err := open(repacked(t, edited(t, files, workspace("", paths[:bundles.MaxMains]...))))
	if err != nil || len(b.Manifest.Projects[0].Workspace) != bundles.MaxMains {
		t.Errorf("at the limit: %v", err)
	}
	b, err = open(repacked(t, edited(t, files, workspace("", paths...))))
	wantDamaged(t, "one over", b, err)

	p := bundles.Project{Workspace: paths[:5]}
	if got, want := p.String(), "a workspace of example.com/m000000, example.com/m000001, example.com/m000002 and 2 more"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p.Equal(bundles.Project{Workspace: paths[:4]}) || p.Equal(bundles.Project{Module: "example.com/m000000"}) || !p.Equal(bundles.Project{Go: "1.26", Workspace: paths[:5]}) {
		t.Error("projects are taken for each other")
	}
	if got := (bundles.Project{Module: "a\x1b"}).String(); got != `"a\x1b"` {
		t.Error(got)
	}
}

// Property: logs are sorted, have printable names, and IDs where they should.
func TestLiesAboutLogs(t *testing.T) {
	logName := func(s string) func(m *bundles.Manifest) {
		return func(m *bundles.Manifest) { m.Logs[1].Name = s }
	}
	refuseLies(t, []lie{
		{"logs unsorted", func(m *bundles.Manifest) { slices.Reverse(m.Logs) }, "logs are not sorted"},
		{"a log twice", func(m *bundles.Manifest) { m.Logs[0] = m.Logs[1] }, "logs are not sorted"},
		{"log without a name", logName(""), `log name ""`},
		{"log name with a newline", logName("sum\n.example"), `log name "sum\n.example"`},
		{"log name with an escape", logName("sum\x1b[2J"), `log name "sum\x1b[2J"`},
		{"log name with C1 control", logName("sum\u009b2J"), `log name "sum\u009b2J"`},
		{"log name that turns text around", logName("sum\u202eexample"), `log name "sum\u202eexample"`},
		{"log name of 513 bytes", logName(strings.Repeat("x", 513)), "log name"},
		{"unknown kind of log", func(m *bundles.Manifest) { m.Logs[1].Kind = "sumdb2" }, `log kind "sumdb2"`},
		{"no kind of log", func(m *bundles.Manifest) { m.Logs[0].Kind = "" }, `log kind ""`},
		{"checksum database with a log ID", func(m *bundles.Manifest) { m.Logs[1].LogID = m.Logs[0].LogID }, "has a log ID"},
		{"Rekor without a log ID", func(m *bundles.Manifest) { m.Logs[0].LogID = "" }, `log ID ""`},
		{"log ID in upper case", func(m *bundles.Manifest) { m.Logs[0].LogID = strings.ToUpper(m.Logs[0].LogID) }, "log ID"},
		{"log ID too short", func(m *bundles.Manifest) { m.Logs[0].LogID = m.Logs[0].LogID[2:] }, "log ID"},
		{"a log less", func(m *bundles.Manifest) { m.Logs = m.Logs[:1] }, "entry of log 1 of 1"},
		{"a log more", func(m *bundles.Manifest) {
			m.Logs = append(m.Logs, bundles.LogInfo{Kind: bundles.SumDB, Name: "z", Size: 1})
		}, "6 files listed, 3 logs need 9"},
	})
}

// Property: modules are sorted, are modules, and refer to what is there.
func TestLiesAboutModules(t *testing.T) {
	modules := func(edit func(d []bundles.Module)) func(m *bundles.Manifest) {
		return func(m *bundles.Manifest) { edit(m.Modules) }
	}
	vendor := func(goLine string, ignored ...string) func(m *bundles.Manifest) {
		return modules(func(d []bundles.Module) { d[0].Vendor = &bundles.Vendored{Go: goLine, Ignored: ignored} })
	}
	refuseLies(t, []lie{
		{"modules unsorted", modules(slices.Reverse), "modules are not sorted"},
		{"a module twice", modules(func(d []bundles.Module) { d[1] = d[0] }), "modules are not sorted"},
		{"no path", modules(func(d []bundles.Module) { d[0].Path = "" }), "is not a module version"},
		{"path with an escape", modules(func(d []bundles.Module) { d[0].Path = "example.com/\x1b" }), `"example.com/\x1b@v1.0.0" is not a module version`},
		{"path that climbs", modules(func(d []bundles.Module) { d[0].Path = "example.com/../x" }), "is not a module version"},
		{"no version", modules(func(d []bundles.Module) { d[0].Version = "" }), "is not a module version"},
		{"version that is not canonical", modules(func(d []bundles.Module) { d[0].Version = "v1.0" }), "is not a module version"},
		{"version with an escape", modules(func(d []bundles.Module) { d[0].Version = "v1.0.0\x1b[2J" }), `"example.com/m0@v1.0.0\x1b[2J" is not a module version`},
		{"version of another major", modules(func(d []bundles.Module) { d[0].Version = "v2.0.0" }), "is not a module version"},
		{"zip digest in upper case", modules(func(d []bundles.Module) { d[0].Zip = strings.ToUpper(d[0].Zip) }), "digest is not 64"},
		{"zip digest too long", modules(func(d []bundles.Module) { d[0].Zip += "00" }), "digest is not 64"},
		{"listing digest no hex", modules(func(d []bundles.Module) { d[0].Listing = strings.Repeat("g", 64) }), "digest is not 64"},
		{"listing that climbs", modules(func(d []bundles.Module) { d[0].Listing = "../../../../etc/passwd" }), "digest is not 64"},
		{"a go line that is none", vendor("latest"), `go line "latest"`},
		{"an ignored file that is no Go file", vendor("1.21", "x.s"), `"x.s" is not the name of a Go file`},
		{"an ignored file of elsewhere", vendor("", "../x.go"), `"../x.go" is not the name of a Go file`},
		{"ignored files not sorted", vendor("", "b.go", "a.go"), "names of files are not sorted"},
		{"an ignored file twice", vendor("", "a.go", "a.go"), "names of files are not sorted"},
		{"fewer than no entries left out", modules(func(d []bundles.Module) { d[0].LeftOut = -1 }), "leftOut -1"},
		{"entries unsorted", modules(func(d []bundles.Module) { slices.Reverse(d[1].Entries) }), "entries are not sorted"},
		{"an entry twice", modules(func(d []bundles.Module) { d[1].Entries[1] = d[1].Entries[0] }), "entries are not sorted"},
		{"entry of no log", modules(func(d []bundles.Module) { d[0].Entries[0].Log = -1 }), "entry of log -1 of 2"},
		{"entry of a log that is not there", modules(func(d []bundles.Module) { d[0].Entries[1].Log = 2 }), "entry of log 2 of 2"},
		{"entry that is not there", modules(func(d []bundles.Module) { d[0].Entries[1].Index = 1 }), "refers to entry 1 of log 1, which is not there"},
		{"listing that is not there", modules(func(d []bundles.Module) { d[0].Listing = hexOf("another") }), "unexpected file"},
		{"listing less", modules(func(d []bundles.Module) { d[0].Listing = "" }), "unexpected file"},
		{"no listings", func(m *bundles.Manifest) { m.Listings = false }, `unexpected file "listings/`},
	})
}

// Property: files are sorted, are those of the logs, and are what they are said
// to be.
func TestLiesAboutFiles(t *testing.T) {
	refuseLies(t, []lie{
		{"files unsorted", func(m *bundles.Manifest) { slices.Reverse(m.Files) }, "files are not sorted"},
		{"a file twice", func(m *bundles.Manifest) { m.Files[1] = m.Files[0] }, "files are not sorted"},
		{"a file less", func(m *bundles.Manifest) { m.Files = m.Files[1:] }, "5 files listed, 2 logs need 6"},
		{"no files", func(m *bundles.Manifest) { m.Files = []bundles.File{} }, "0 files listed, 2 logs need 6"},
		{"a file of another name", func(m *bundles.Manifest) { m.Files[0].Name = "logs/0/b" }, `file "logs/0/b"`},
		{"a file of another log", func(m *bundles.Manifest) { m.Files[5].Name = "logs/2/multiproof" }, `file "logs/2/multiproof"`},
		{"a file with more in its name", func(m *bundles.Manifest) { m.Files[5].Name = "logs/1/multiproof0" }, `file "logs/1/multiproof0"`},
		{"another digest", func(m *bundles.Manifest) { m.Files[0].SHA256 = hexOf("") }, "logs/0/checkpoint is not the file that the manifest lists"},
		{"digest in upper case", func(m *bundles.Manifest) { m.Files[1].SHA256 = strings.ToUpper(m.Files[1].SHA256) }, "logs/0/entries.jsonl is not the file that the manifest lists"},
		{"size too large", func(m *bundles.Manifest) { m.Files[2].Size++ }, "logs/0/multiproof is not the file that the manifest lists"},
		{"size too small", func(m *bundles.Manifest) { m.Files[2].Size-- }, "logs/0/multiproof: more than"},
		{"size below zero", func(m *bundles.Manifest) { m.Files[2].Size = -1 }, `file "logs/0/multiproof" of -1 bytes`},
		{"sizes that overflow", func(m *bundles.Manifest) { m.Files[0].Size, m.Files[1].Size = 1<<62, 1<<62 }, "all files of logs: more than 83886080 bytes"},
	})
}

// Property: each lie in a log's files, of which the manifest speaks the truth,
// is refused.
func TestLogFileLies(t *testing.T) {
	const rekor, sumdb = "logs/0/", "logs/1/"
	files := unpack(t, write(t, sample(true)))
	for _, c := range []struct {
		name, file, old, new, want string
	}{
		{"empty checkpoint", rekor + "checkpoint", "*", "", "empty checkpoint"},
		{"no entries", rekor + "entries.jsonl", "*", "", "entries and multiproof differ in number"},
		{"another index", sumdb + "entries.jsonl", `{"index":4`, `{"index":5`, "entry 2 has index 5, the multiproof 4"},
		{"an entry twice", sumdb + "entries.jsonl", `{"index":4`, `{"index":2`, "entry 2 has index 2, the multiproof 4"},
		{"negative time", rekor + "entries.jsonl", `"integratedTime":1767225600`, `"integratedTime":-1`, "entry 0 has a negative time"},
		{"time in a checksum database", sumdb + "entries.jsonl", `"}` + "\n", `","integratedTime":5}` + "\n", "has what only Rekor v1 gives"},
		{"log index in a checksum database", sumdb + "entries.jsonl", `"}` + "\n", `","logIndex":5}` + "\n", "has what only Rekor v1 gives"},
		{"SET in a checksum database", sumdb + "entries.jsonl", `"}` + "\n", `","set":"AAAA"}` + "\n", "has what only Rekor v1 gives"},
		{"empty multiproof", rekor + "multiproof", "*", "", "logs/0/multiproof: parsing multiproof"},
		{"multiproof with a byte more", rekor + "multiproof", "*", "+", "logs/0/multiproof: parsing multiproof"},
		{"the other log's multiproof, of fewer leaves", rekor + "multiproof", "*", "\x01\x01\x00", "entries and multiproof differ in number"},
		{"not JSON", rekor + "entries.jsonl", "{", "[", "logs/0/entries.jsonl: "},
	} {
		lied := slices.Clone(files)
		f := at(t, lied, c.file)
		data := []byte(c.new)
		switch {
		case c.new == "+":
			data = append(slices.Clone(f.data), 0)
		case c.old != "*":
			data = bytes.Replace(f.data, []byte(c.old), []byte(c.new), 1)
		}
		if bytes.Equal(data, f.data) {
			t.Fatalf("%s: nothing was changed", c.name)
		}
		f.data = data
		b, err := open(repacked(t, relisted(t, lied)))
		wantDamaged(t, c.name, b, err)
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	for i := range files {
		if name, ok := strings.CutPrefix(files[i].name, "listings/"); ok {
			lied := slices.Clone(files)
			lied[i].data = append(slices.Clone(lied[i].data), '\n')
			b, err := open(repacked(t, lied))
			wantDamaged(t, "listing "+name, b, err)
		}
	}
}

// Property: what Open would refuse is not written.
func TestWriterRefuses(t *testing.T) {
	for name, edit := range map[string]func(p *bundles.Payload){
		"no time":                func(p *bundles.Payload) { p.Manifest.Created = "" },
		"project not UTF-8":      func(p *bundles.Payload) { p.Manifest.Projects[0].Module = "a\xff" },
		"go line not UTF-8":      func(p *bundles.Payload) { p.Manifest.Projects[0].Go = "1\xff" },
		"log name not UTF-8":     func(p *bundles.Payload) { p.Logs[1].Name = "a\xff" },
		"logs unsorted":          func(p *bundles.Payload) { slices.Reverse(p.Logs) },
		"modules unsorted":       func(p *bundles.Payload) { slices.Reverse(p.Manifest.Modules) },
		"bad module":             func(p *bundles.Payload) { p.Manifest.Modules[0].Version = "1" },
		"entry of no log":        func(p *bundles.Payload) { p.Manifest.Modules[0].Entries[0].Log = -1 },
		"entry of another log":   func(p *bundles.Payload) { p.Manifest.Modules[0].Entries[1].Log = 2 },
		"entry not there":        func(p *bundles.Payload) { p.Manifest.Modules[0].Entries[1].Index = 1 },
		"leaf not UTF-8":         func(p *bundles.Payload) { p.Logs[0].Entries[0].Leaf = "\xff" },
		"entries without proof":  func(p *bundles.Payload) { p.Logs[0].Proof = nil },
		"proof of other entries": func(p *bundles.Payload) { p.Logs[0].Entries = p.Logs[0].Entries[1:] },
		"proof out of shape":     func(p *bundles.Payload) { p.Logs[0].Proof.Nodes = nil },
		"no checkpoint":          func(p *bundles.Payload) { p.Logs[0].Checkpoint = nil },
		"a listing's error":      func(p *bundles.Payload) { p.Listing = func(string) ([]byte, error) { return nil, errors.New("x") } },
		"another listing":        func(p *bundles.Payload) { p.Listing = func(string) ([]byte, error) { return []byte("x"), nil } },
	} {
		p := sample(true)
		edit(p)
		if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil {
			t.Errorf("%s: was written", name)
		}
	}
}

// Property: Sort orders modules and their entries, and not the logs, to which
// entries refer by their place.
func TestSort(t *testing.T) {
	p := sample(true)
	want := fmt.Sprint(p.Manifest.Modules)
	slices.Reverse(p.Manifest.Modules)
	for _, d := range p.Manifest.Modules {
		slices.Reverse(d.Entries)
	}
	p.Manifest.Logs = []bundles.LogInfo{{Name: "b"}, {Name: "a"}}
	p.Manifest.Sort()
	if fmt.Sprint(p.Manifest.Modules) != want || p.Manifest.Logs[0].Name != "b" {
		t.Errorf("sorted as %+v", p.Manifest)
	}
}
