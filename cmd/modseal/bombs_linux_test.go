package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// bomb is a hostile payload. Its files are written piece by piece, so that one that
// is far larger than memory can be made.
type bomb struct {
	manifest func(w io.Writer, files []bundles.File) // in the encoding that it should have, or not
	files    []bombFile                              // sorted by name
	listings []bombFile                              // after those, in no list
}

type bombFile struct {
	name  string
	write func(w io.Writer)
	size  int64 // if it is known: what is large is written once less
}

// writeBomb writes a bundle without a seal.
func writeBomb(t testing.TB, name string, b bomb) {
	t.Helper()
	var files []bundles.File
	all := []bombFile{{name: bundles.ManifestName, write: func(w io.Writer) { b.manifest(w, files) }}}
	for _, f := range b.files {
		c := measured(f.write)
		files = append(files, bundles.File{Name: f.name, Size: c.n, SHA256: hex.EncodeToString(c.h.Sum(nil))})
		all = append(all, bombFile{f.name, f.write, c.n})
	}
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	payload := writeInner(t, append(all, b.listings...))
	if err := bundles.WriteFile(out, nil, bytes.NewReader(payload), int64(len(payload))); err != nil {
		t.Fatal(err)
	}
}

// writeInner is payload.tar.zst of these files, whatever they are.
func writeInner(t testing.TB, files []bombFile) []byte {
	t.Helper()
	var payload bytes.Buffer
	z, err := zstd.NewWriter(&payload, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, f := range files {
		size := f.size
		if size == 0 {
			size = measured(f.write).n
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		b := bufio.NewWriterSize(w, 1<<16)
		f.write(b)
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return payload.Bytes()
}

// count measures what is written to it.
type count struct {
	h hash.Hash
	n int64
}

func (c *count) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.h.Write(p)
}

func measured(write func(io.Writer)) *count {
	c := &count{h: sha256.New()}
	b := bufio.NewWriterSize(c, 1<<16)
	write(b)
	b.Flush()
	return c
}

// repeat writes n times what makes makes.
func repeat(n int, makes func(i int) string) func(io.Writer) {
	return func(w io.Writer) {
		for i := range n {
			io.WriteString(w, makes(i))
		}
	}
}

// manifestOf is a manifest with these modules, the encoded ones; members of it can be replaced.
func manifestOf(logs []bundles.LogInfo, modules func(io.Writer), edit ...string) func(io.Writer, []bundles.File) {
	return func(w io.Writer, files []bundles.File) {
		m := bundles.Manifest{MediaType: bundles.MediaType, Created: "2026-01-02T03:04:05Z", Projects: []bundles.Project{}, Logs: logs, Modules: []bundles.Module{}, Artifacts: []bundles.Artifact{}, Files: files}
		if m.Logs == nil {
			m.Logs = []bundles.LogInfo{}
		}
		if m.Files == nil {
			m.Files = []bundles.File{}
		}
		data, err := json.MarshalIndent(m, "", " ")
		if err != nil {
			panic(err)
		}
		text := strings.NewReplacer(edit...).Replace(string(data) + "\n")
		if modules == nil {
			io.WriteString(w, text)
			return
		}
		before, after, _ := strings.Cut(text, `"modules": []`)
		io.WriteString(w, before+`"modules": [`)
		modules(w)
		io.WriteString(w, "\n ]"+after)
	}
}

// manyModules are n modules, each with more members.
func manyModules(n int, members string) func(io.Writer) {
	return repeat(n, func(i int) string {
		comma := ","
		if i == n-1 {
			comma = ""
		}
		return fmt.Sprintf("\n  {\n   \"path\": \"a.b/%07x\",\n   \"version\": \"v0.0.0\"%s\n  }%s", i, members, comma)
	})
}

func sumdbs(n int, size uint64) []bundles.LogInfo {
	var logs []bundles.LogInfo
	for i := range n {
		logs = append(logs, bundles.LogInfo{Kind: bundles.SumDB, Name: fmt.Sprintf("a%04d", i), Size: size})
	}
	return logs
}

// proof is a multiproof of n leaves in a tree of n<<spread, all its nodes zeros.
func proof(n int, spread int) func(io.Writer) {
	return func(w io.Writer) {
		indexes := make([]uint64, n)
		for i := range indexes {
			indexes[i] = uint64(i) << spread
		}
		size := uint64(n) << spread
		nodes, err := merkle.NumNodes(size, indexes)
		if err != nil {
			panic(err)
		}
		b := binary.AppendUvarint(nil, size)
		b = binary.AppendUvarint(b, uint64(n))
		for i := range n {
			gap := uint64(0)
			if i > 0 {
				gap = 1<<spread - 1
			}
			b = binary.AppendUvarint(b, gap)
		}
		w.Write(b)
		zeros := make([]byte, merkle.HashSize)
		for range nodes {
			w.Write(zeros)
		}
	}
}

// logOf are the files of a log of n entries, with more members in each.
func logOf(log, n, spread int, members string) []bombFile {
	name := func(s string) string { return fmt.Sprintf("logs/%d/%s", log, s) }
	return []bombFile{
		{name: name("checkpoint"), write: func(w io.Writer) { io.WriteString(w, "x\n") }},
		{name: name("entries.jsonl"), write: repeat(n, func(i int) string { return fmt.Sprintf("{\"index\":%d,\"leaf\":%s}\n", i<<spread, members) })},
		{name: name("multiproof"), write: proof(n, spread)},
	}
}

// hostile is a bomb, and the exit code of inspect.
type hostile struct {
	bomb bomb
	exit int
	all  bool // whether it is for all commands
}

// bombs are bundles that are as costly as their makers can make them, for one that has
// so many bundles in memory at once, and can have these listings: most have a few
// hundred kB.
func bombs(among int, listings []bombFile) map[string]hostile {
	maxManifest, maxModules := bundles.MaxUnsealedManifest/among, bundles.MaxUnsealedModules/among
	maxEntries := bundles.MaxUnsealedEntries / among
	const mib = 1 << 20
	const refused = 3
	head := `{` + "\n" + ` "mediaType": "` + bundles.MediaType + `",` + "\n"
	text := func(before, repeated, after string) bomb { // a manifest just below its limit
		n := (maxManifest - len(before) - len(after)) / len(repeated)
		return bomb{manifest: func(w io.Writer, _ []bundles.File) {
			io.WriteString(w, before)
			repeat(n, func(int) string { return repeated })(w)
			io.WriteString(w, after)
		}}
	}
	line := func(before, repeated, after string, n int) func(io.Writer) {
		return func(w io.Writer) {
			io.WriteString(w, before+strings.Repeat(repeated, (n-len(before)-len(after))/len(repeated))+after)
		}
	}
	var ignored strings.Builder // of a module of 1 MiB in the manifest
	for i := range 49_000 {
		fmt.Fprintf(&ignored, "     \"%05x.go\",\n", i)
	}
	vendored := ",\n   \"vendor\": {\n    \"ignored\": [\n" + strings.TrimSuffix(ignored.String(), ",\n") + "\n    ]\n   }"
	entry := ",\n   \"entries\": [\n    {\n     \"log\": 0,\n     \"index\": 0\n    }\n   ]"
	withEarlier := logOf(0, 4, 0, `""`)
	withEarlier = append(withEarlier[:1:1], append([]bombFile{{name: "logs/0/consistency.jsonl", write: line(`{"size":1,"proof":[`, `"",`, `""]}`+"\n", bundles.MaxEarlierAll)}}, withEarlier[1:]...)...)
	stamped := logOf(0, 4, 0, `""`)
	stamped[1].write = line(`{"index":0,"leaf":"","timestamps":[`, `"",`, `""]}`+"\n", bundles.MaxEntry)
	leaf, err := json.Marshal(string(testlog.NewSigner("alice").Body([32]byte{})))
	if err != nil {
		panic(err)
	}
	signed := bundles.MaxUnsealedSigned / among
	proven := 100_000 / among
	return map[string]hostile{
		"spaces":                 {text(head, " ", ""), refused, false},
		"nesting":                {text(head+` "created": `, "[", ""), refused, false},
		"a long string":          {text(head+` "created": "`, "x", `"`), refused, false},
		"a workspace of nothing": {text(head+` "created": "2026-01-02T03:04:05Z",`+"\n"+` "projects": [{"workspace": [`, `"",`, `""]}]`), refused, false},
		"modules of nothing":     {text(head+` "created": "2026-01-02T03:04:05Z",`+"\n"+` "projects": [],`+"\n"+` "logs": [],`+"\n"+` "modules": [`, `{},`, `{}]`), refused, false},
		"a proof of nothing":     {bomb{manifest: manifestOf(sumdbs(1, 4), nil), files: withEarlier}, refused, false},
		"time stamps of nothing": {bomb{manifest: manifestOf(sumdbs(1, 4), nil), files: stamped}, refused, false},
		"lines of nothing":       {bomb{manifest: manifestOf(sumdbs(1, uint64(maxEntries+1)), nil), files: logOf(0, maxEntries+1, 0, `""`)}, refused, false},
		"many logs":              {bomb{manifest: manifestOf(sumdbs(20, 1<<14), nil), files: manyLogs(20, 1<<14)}, refused, false},
		"listings of gigabytes":  {bomb{manifest: manifestOf(nil, withListings(listings), `"listings": false`, `"listings": true`), listings: listings}, refused, false},

		"signed entries": {bomb{
			manifest: manifestOf([]bundles.LogInfo{{Kind: bundles.RekorV1, Name: "a - 1", LogID: strings.Repeat("a", 64), Size: uint64(signed)}}, nil),
			files:    logOf(0, signed, 0, string(leaf)),
		}, 0, false},
		"modules":              {bomb{manifest: manifestOf(nil, manyModules(maxModules, ""))}, 0, false},
		"modules of one entry": {bomb{manifest: manifestOf(sumdbs(1, 1), manyModules(maxModules, entry)), files: logOf(0, 1, 0, `""`)}, 0, false},
		"nodes":                {bomb{manifest: manifestOf(sumdbs(1, uint64(57_000/among)<<42), nil), files: logOf(0, 57_000/among, 42, `""`)}, 0, false},
		"all that there may be": {bomb{
			manifest: manifestOf(sumdbs(1, uint64(maxEntries)), manyModules(maxManifest/mib, vendored)),
			files:    logOf(0, maxEntries, 0, `"`+strings.Repeat("x", 280)+`"`),
		}, 0, true},
		"proven modules": {bomb{
			manifest: manifestOf(sumdbs(1, uint64(proven)<<14), manyModules(proven, ",\n   \"zip\": \""+strings.Repeat("a", 64)+"\",\n   \"listing\": \""+strings.Repeat("a", 64)+"\"")),
			files:    logOf(0, proven, 14, `"`+strings.Repeat("x", 220)+`"`),
		}, 0, false},
	}
}

func manyLogs(n, entries int) (files []bombFile) {
	for i := range n {
		files = append(files, logOf(i, entries, 0, `""`)...)
	}
	slices.SortFunc(files, func(a, b bombFile) int { return strings.Compare(a.name, b.name) })
	return files
}

// manyListings are n listings of 32 MiB, sorted by their digests.
func manyListings(n int) (files []bombFile) {
	for i := range n {
		line := fmt.Sprintf("%064d", i)
		f := bombFile{write: repeat(bundles.MaxUnsealedListing/len(line), func(int) string { return line }), size: bundles.MaxUnsealedListing}
		f.name = "listings/" + hex.EncodeToString(measured(f.write).h.Sum(nil))
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b bombFile) int { return strings.Compare(a.name, b.name) })
	return files
}

// withListings are modules with those listings.
func withListings(listings []bombFile) func(io.Writer) {
	return func(w io.Writer) {
		for i, f := range listings {
			comma := ","
			if i == len(listings)-1 {
				comma = ""
			}
			fmt.Fprintf(w, "\n  {\n   \"path\": \"a.b/%07x\",\n   \"version\": \"v0.0.0\",\n   \"listing\": \"%s\"\n  }%s", i, strings.TrimPrefix(f.name, "listings/"), comma)
		}
	}
}
