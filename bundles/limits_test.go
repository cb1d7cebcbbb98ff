package bundles_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/limit"
)

// Property: the limits are those of docs/format.md, Section 8.
func TestLimitsOfTheFormat(t *testing.T) {
	for i, pair := range [][2]int64{
		{bundles.MaxSeals, 16}, {bundles.MaxSeal, 256 << 10}, {bundles.MaxPayload, 8<<30 - 1}, {bundles.MaxManifest, 512 << 20},
		{bundles.MaxLogs, 4096}, {bundles.MaxModules, 1048576}, {bundles.MaxModule, 1 << 20}, {bundles.MaxCheckpoint, 64 << 10},
		{bundles.MaxMultiproof, 512 << 20}, {bundles.MaxEntries, 512 << 20}, {bundles.MaxEntry, 8 << 20}, {bundles.MaxLogBytes, 1 << 30},
		{bundles.MaxArtifacts, 65536}, {bundles.MaxProjects, 10_000}, {bundles.MaxEarlier, 4096}, {bundles.MaxEarlierAll, 16 << 20}, {bundles.MaxListing, 64 << 20}, {bundles.MaxListings, 32 << 30}, {bundles.MaxWindow, 8 << 20},
		{bundles.MaxLeaves, 4194304}, {bundles.MaxProject, 4 << 20}, {bundles.MaxTimestamps, 32}, {bundles.MaxExpanded, 1 << 30}, {bundles.MaxRatio, 16},
		{bundles.MaxUnsealedManifest, 40 << 20}, {bundles.MaxUnsealedModules, 262144}, {bundles.MaxUnsealedLogBytes, 80 << 20}, {bundles.MaxUnsealedEntries, 262144}, {bundles.MaxUnsealedSigned, 4096}, {bundles.MaxUnsealedListing, 32 << 20},
	} {
		if pair[0] != pair[1] {
			t.Errorf("limit %d is %d, the format says %d", i, pair[0], pair[1])
		}
	}
}

// Property: each limit on what is in a payload lets pass what is as large, and
// neither reads nor writes what is larger by one. Most limits are too large to
// come close to, so they are lowered to what the sample has.
func TestAtTheLimitsAndOneOver(t *testing.T) {
	p := sample(true)
	p.Manifest.Projects = append(p.Manifest.Projects, bundles.Project{Workspace: []string{"example.com/main"}})
	p.Manifest.Modules[4].Entries = append(p.Manifest.Modules[4].Entries, bundles.Ref{Log: 1, Index: 0})
	p.Manifest.Sort()
	payload := write(t, p)
	files := unpack(t, payload)
	size := func(name string) int64 { return int64(len(at(t, files, name).data)) }
	longest := func(data []byte) (n int64) {
		for line := range bytes.SplitAfterSeq(data, []byte("\n")) {
			n = max(n, int64(len(line)))
		}
		return n
	}
	var projects []json.RawMessage
	if err := json.Unmarshal(manifest(files)["projects"], &projects); err != nil {
		t.Fatal(err)
	}
	project := int64(0)
	for _, p := range projects {
		project = max(project, int64(len(p)))
	}
	all, listings, listing := int64(0), int64(0), int64(0)
	for _, f := range files[1:] {
		if strings.HasPrefix(f.name, "listings/") {
			listings, listing = listings+int64(len(f.data)), max(listing, int64(len(f.data)))
		} else {
			all += int64(len(f.data))
		}
	}
	module := int64(0) // as it stands in the manifest, without what is around it
	text := string(files[0].data)
	for s := range strings.SplitSeq(text[strings.Index(text, `"modules"`):strings.Index(text, `"listings"`)], "\n  {") {
		if end := strings.LastIndex(s, "\n  }"); end >= 0 {
			module = max(module, int64(end+len("\n  }")+1))
		}
	}
	for name, n := range map[string]int64{
		"manifest": size("manifest.json"), "logs": 2, "modules": 5, "projects": 2, "module": module, "project": project, "leaves": 5, "allEntries": 10,
		"expanded":   int64(len(decompress(t, payload)) - bundles.MaxRatio*len(payload)),
		"checkpoint": max(size("logs/0/checkpoint"), size("logs/1/checkpoint")),
		"multiproof": max(size("logs/0/multiproof"), size("logs/1/multiproof")),
		"entries":    max(size("logs/0/entries.jsonl"), size("logs/1/entries.jsonl")),
		"entry":      max(longest(at(t, files, "logs/0/entries.jsonl").data), longest(at(t, files, "logs/1/entries.jsonl").data)),
		"logBytes":   all, "listing": listing, "listings": listings,
	} {
		file := framed(t, payload)
		o := bundles.OpenOptions{InsecureIgnoreSeals: true}
		if _, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, name, n); err != nil {
			t.Errorf("%s at the limit %d: %v", name, n, err)
		}
		b, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, name, n-1)
		wantDamaged(t, fmt.Sprintf("%s over the limit %d", name, n-1), b, err)
		if slices.Contains([]string{"module", "leaves"}, name) {
			continue // the writer's other limits are below these
		}
		if err := bundles.WriteWithLimit(&bytes.Buffer{}, p, name, n); err != nil {
			t.Errorf("writing %s at the limit %d: %v", name, n, err)
		}
		if err := bundles.WriteWithLimit(&bytes.Buffer{}, p, name, n-1); err == nil {
			t.Errorf("%s was written over the limit %d", name, n-1)
		}
	}
}

// manifest gives the members of a manifest as they stand in it.
func manifest(files []file) (members map[string]json.RawMessage) {
	if err := json.Unmarshal(files[0].data, &members); err != nil {
		panic(err)
	}
	return members
}

// Property: what nobody trusted sealed may have a quarter of the modules that may be
// sealed, and entries in proportion; whose own it is may have all.
func TestLimitsOfTheUnsealed(t *testing.T) {
	if testing.Short() {
		t.Skip("a million modules, read and written")
	}
	p := &bundles.Payload{Manifest: bundles.Manifest{Created: "2026-01-02T03:04:05Z"}}
	for i := range bundles.MaxUnsealedModules + 1 {
		p.Manifest.Modules = append(p.Manifest.Modules, bundles.Module{Path: fmt.Sprintf("a.b/%07x", i), Version: "v0.0.0"})
	}
	over := framed(t, write(t, p), []byte("seal"))
	p.Manifest.Modules = p.Manifest.Modules[1:]
	at := framed(t, write(t, p), []byte("seal"))
	for name, c := range map[string]struct {
		file []byte
		o    bundles.OpenOptions
		ok   bool
	}{
		"at the limit":                  {at, bundles.OpenOptions{InsecureIgnoreSeals: true}, true},
		"one over":                      {over, bundles.OpenOptions{InsecureIgnoreSeals: true}, false},
		"one over, with a seal of some": {over, bundles.OpenOptions{InsecureIgnoreSeals: true, Seals: &recorder{}}, false},
		"one over, sealed":              {over, bundles.OpenOptions{Seals: &recorder{accept: true}}, true},
		"one over, and one's own":       {over, bundles.OpenOptions{InsecureIgnoreSeals: true, Own: true}, true},
		"at the limit, as one of two":   {at, bundles.OpenOptions{InsecureIgnoreSeals: true, Among: 2}, false},
		"sealed, as one of two":         {over, bundles.OpenOptions{Seals: &recorder{accept: true}, Among: 2}, true},
	} {
		b, err := bundles.Open(bytes.NewReader(c.file), int64(len(c.file)), c.o)
		if c.ok && err != nil || !c.ok && !errors.Is(err, limit.ErrExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.ok {
			wantDamaged(t, name, b, err)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("modules: more than %d elements (limits are lower for", bundles.MaxUnsealedModules/max(1, c.o.Among))) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, among := range []int{1, 2} {
		part := int64(among)
		if got, want := bundles.UnsealedLimits(among), (bundles.Unsealed{
			Manifest: bundles.MaxUnsealedManifest / part, Modules: bundles.MaxUnsealedModules / part, LogBytes: bundles.MaxUnsealedLogBytes / part,
			Entries: bundles.MaxUnsealedEntries / part, Signed: bundles.MaxUnsealedSigned / part, Listing: bundles.MaxUnsealedListing,
		}); got != want {
			t.Errorf("limits of the unsealed, one of %d: %+v, want %+v", among, got, want)
		}
	}
}

// Property: of what nobody sealed, so many entries have signatures to verify, and so many
// time stamps, and records of checksum databases do not count.
func TestCostlyAtTheLimit(t *testing.T) {
	stamps := [][]byte{{1}, {2}, {3}}
	for name, c := range map[string]struct {
		stamps [][]byte
		says   string
	}{"entries": {nil, "entries of Rekor: more than"}, "time stamps": {stamps, "time stamps: more than"}} {
		p := sample(false)
		rekor := 0
		for i := range p.Logs {
			if p.Logs[i].Kind == bundles.SumDB {
				continue
			}
			for k := range p.Logs[i].Entries {
				p.Logs[i].Entries[k].Timestamps = c.stamps
			}
			rekor += len(p.Logs[i].Entries)
		}
		file, n := framed(t, write(t, p)), int64(rekor*max(1, len(c.stamps)))
		o := bundles.OpenOptions{InsecureIgnoreSeals: true}
		if _, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, "signed", n); err != nil || rekor == 0 {
			t.Errorf("%s at the limit %d: %v", name, n, err)
		}
		b, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, "signed", n-1)
		wantDamaged(t, name, b, err)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Property: an entry has up to 32 time stamps, for reader and writer.
func TestTimestampsAtTheLimit(t *testing.T) {
	p := sample(false)
	stamps := make([][]byte, bundles.MaxTimestamps+1)
	for i := range stamps {
		stamps[i] = []byte{byte(i)}
	}
	p.Logs[0].Entries[0].Timestamps = stamps[1:]
	good := write(t, p)
	if _, err := open(framed(t, good)); err != nil {
		t.Error(err)
	}
	files := unpack(t, good)
	entries := at(t, files, "logs/0/entries.jsonl")
	entries.data = bytes.Replace(entries.data, []byte(`"timestamps":[`), []byte(`"timestamps":["AA==",`), 1)
	b, err := open(repacked(t, relisted(t, files)))
	wantDamaged(t, "33 time stamps", b, err)
	p.Logs[0].Entries[0].Timestamps = stamps
	if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil {
		t.Error("33 time stamps were written")
	}
}

// Property: the same for the frame, with its true limits where they are small.
func TestFrameLimits(t *testing.T) {
	payload := write(t, sample(false))
	seals := make([][]byte, bundles.MaxSeals)
	seals[3] = make([]byte, bundles.MaxSeal)
	if b, err := open(framed(t, payload, seals...)); err != nil || len(b.Refused) != bundles.MaxSeals {
		t.Errorf("16 seals, one of 256 KiB: %v", err)
	}
	pay := file{bundles.PayloadName, payload}
	var many []file
	for i := range bundles.MaxSeals + 1 {
		many = append(many, file{fmt.Sprintf("signatures/%d.sigstore.json", i), nil})
	}
	b, err := open(archive(t, append(many, pay)))
	wantDamaged(t, "17 seals", b, err)
	b, err = open(archive(t, []file{{"signatures/0.sigstore.json", make([]byte, bundles.MaxSeal+1)}, pay}))
	wantDamaged(t, "a seal of 256 KiB and a byte", b, err)
	if !errors.Is(err, limit.ErrExceeded) {
		t.Error(err)
	}
	for _, bad := range [][][]byte{make([][]byte, bundles.MaxSeals+1), {make([]byte, bundles.MaxSeal+1)}} {
		if err := bundles.WriteFile(&bytes.Buffer{}, bad, bytes.NewReader(nil), 0); err == nil {
			t.Errorf("%d seals were written", len(bad))
		}
	}

	n := int64(len(payload))
	file := framed(t, payload)
	o := bundles.OpenOptions{InsecureIgnoreSeals: true}
	if _, err := bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, "payload", n); err != nil {
		t.Error(err)
	}
	b, err = bundles.OpenWithLimit(bytes.NewReader(file), int64(len(file)), o, "payload", n-1)
	wantDamaged(t, "payload over the limit", b, err)
	if err := bundles.WriteFileWithLimit(&bytes.Buffer{}, nil, bytes.NewReader(payload), n, "payload", n); err != nil {
		t.Error(err)
	}
	if err := bundles.WriteFileWithLimit(&bytes.Buffer{}, nil, bytes.NewReader(payload), n, "payload", n-1); err == nil {
		t.Error("a payload over the limit was written")
	}
}

// Property: a log's name has up to 512 bytes.
func TestLogNameAtTheLimit(t *testing.T) {
	p := sample(false)
	p.Logs[1].Name = strings.Repeat("ä", 256)
	if _, err := open(framed(t, write(t, p))); err != nil {
		t.Error(err)
	}
	p.Logs[1].Name += "x"
	if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil {
		t.Error("a name of 513 bytes was written")
	}
}

// Property: a line of entries.jsonl has up to 8 MiB, its newline included.
func TestEntryAtTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	const around = len(`{"index":5,"leaf":""}` + "\n")
	for n, ok := range map[int]bool{bundles.MaxEntry: true, bundles.MaxEntry + 1: false} {
		e := []bundles.Entry{{Index: 5, Leaf: strings.Repeat("x", n-around)}}
		b, err := bundles.EncodeEntries(e)
		if (err == nil) != ok {
			t.Errorf("encoding a line of %d bytes: %v", n, err)
		}
		if !ok {
			b = fmt.Appendf(nil, `{"index":5,"leaf":"%s"}`+"\n", e[0].Leaf)
		}
		if len(b) != n {
			t.Fatalf("the line has %d bytes, want %d", len(b), n)
		}
		if _, err := bundles.DecodeEntries(b); (err == nil) != ok {
			t.Errorf("decoding a line of %d bytes: %v", n, err)
		}
	}
}
