package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/testlog"
)

const hostileModule = "a.b/c"

// module makes a project that requires one module.
func (w *costWorld) module() string {
	w.app("go.mod", goModHead+"require "+hostileModule+" v0.0.0\n")
	return "modcache/cache/download/a.b/c/@v/v0.0.0."
}

// zipFile is the module's zip.
func (w *costWorld) zipFile(write func(z *zip.Writer)) []string {
	name := w.module() + "zip"
	w.file(name, "")
	f, err := os.Create(w.path(name))
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	write(z)
	if err := z.Close(); err != nil {
		w.Fatal(err)
	}
	return w.verify()
}

// add adds a file of n zeros.
func add(z *zip.Writer, name string, n int64) {
	e, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err == nil {
		_, err = io.CopyN(e, zeros{}, n)
	}
	if err != nil {
		panic(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Property: modules on disk, and binaries, cost no more than 256 MiB and ten seconds, and
// nothing of them is written anywhere.
func TestCostOfHostileModules(t *testing.T) {
	const mib = 1 << 20
	const unproven, usage = 1, 2
	const prefix = hostileModule + "@v0.0.0/"
	zipped := func(says string, write func(z *zip.Writer)) hostileInput {
		return hostileInput{func(w *costWorld) []string { return w.zipFile(write) }, unproven, says}
	}
	named := func(says string, names ...string) hostileInput {
		return zipped(says, func(z *zip.Writer) {
			for _, name := range names {
				add(z, name, 1)
			}
		})
	}
	lying := func(says string, edit func(file []byte)) hostileInput { // about itself
		return hostileInput{func(w *costWorld) []string {
			args := w.zipFile(func(z *zip.Writer) { add(z, prefix+"go.mod", 1000); add(z, prefix+"a.go", 1000) })
			name := w.path("modcache/cache/download/a.b/c/@v/v0.0.0.zip")
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			edit(file)
			if err := os.WriteFile(name, file, 0o644); err != nil {
				t.Fatal(err)
			}
			return args
		}, unproven, says}
	}
	end := func(file []byte) []byte { return file[bytes.LastIndex(file, []byte("PK\x05\x06")):] }
	directory := func(file []byte) []byte { return file[bytes.Index(file, []byte("PK\x01\x02")):] }
	inputs := map[string]hostileInput{
		"zip of 500 MiB of zeros": zipped("not-logged", func(z *zip.Writer) { add(z, prefix+"a", 500*mib) }),
		"zip of empty files": zipped("not-logged", func(z *zip.Writer) {
			for i := range 1 << 17 {
				add(z, prefix+fmt.Sprintf("%x/%s", i, strings.Repeat("x", 40)), 0)
			}
		}),
		"zip of one name":  named("not-logged", prefix+strings.Repeat("x", 65_000)),
		"zip of folders":   named("content is not that of a module", prefix+strings.Repeat("x/", 30_000)+"x"),
		"zip of bad names": named("content is not that of a module", "../../evil", "/etc/evil", prefix+"../evil", prefix+"a", prefix+"a", prefix+"A", prefix+"con", `a\b`),
		"zip with a link": zipped("symbolic link", func(z *zip.Writer) {
			h := &zip.FileHeader{Name: prefix + "a"}
			h.SetMode(os.ModeSymlink | 0o777)
			_, _ = z.CreateHeader(h)
		}),
		"zip of 65,535 entries":   lying("content is not that of a module", func(f []byte) { binary.LittleEndian.PutUint16(end(f)[10:], 0xffff) }),
		"zip directory of 4 GiB":  lying("central directory has", func(f []byte) { binary.LittleEndian.PutUint32(end(f)[12:], 0xfffffffe) }),
		"zip that says 2 GiB":     lying("content is not that of a module", func(f []byte) { binary.LittleEndian.PutUint32(directory(f)[24:], 1<<31) }),
		"zip that says less":      lying("content is not that of a module", func(f []byte) { binary.LittleEndian.PutUint32(directory(f)[24:], 999) }),
		"zip compressed to 4 GiB": lying("content is not that of a module", func(f []byte) { binary.LittleEndian.PutUint32(directory(f)[20:], 0xfffffffe) }),
		"tree of files": {func(w *costWorld) []string {
			w.file(w.module()+"mod", "module a.b/c\n")
			for i := range 20_000 {
				w.file(fmt.Sprintf("modcache/%s%d/%d", prefix, i/1000, i), "")
			}
			return w.verify()
		}, unproven, "not-logged"},
		"tree of folders": {func(w *costWorld) []string {
			w.module()
			w.file("modcache/"+prefix+strings.Repeat("x/", 1000)+"x", "")
			return w.verify()
		}, unproven, "content is not that of a module"},
		"tree of terabytes": {func(w *costWorld) []string {
			w.module()
			w.file("modcache/"+prefix+"a", "")
			if err := os.Truncate(w.path("modcache/"+prefix+"a"), 1<<40); err != nil {
				t.Fatal(err)
			}
			return w.verify()
		}, unproven, "content is not that of a module"},
	}
	for name, file := range hostileBinaries() {
		inputs["binary "+name] = hostileInput{func(w *costWorld) []string {
			return []string{"verify", "-q", "--seal-key", w.path("seal.pub"), "--sumdb", "sum.golang.org", "--binary", w.file("app.bin", file), w.sealed()}
		}, usage, "app.bin"}
	}
	measureInputs(t, inputs)
}

// hostileBinaries are files that lie in their headers and tables, or that name as much as
// they may.
func hostileBinaries() map[string]string {
	const mib = 1 << 20
	le := binary.LittleEndian
	elf := func(edit func(head []byte), n int) string {
		head := make([]byte, 64+n)
		copy(head, "\x7fELF\x02\x01\x01")
		le.PutUint16(head[16:], 2)
		le.PutUint16(head[18:], 62)
		le.PutUint32(head[20:], 1)
		le.PutUint16(head[52:], 64)
		le.PutUint16(head[54:], 56)
		le.PutUint16(head[58:], 64)
		edit(head)
		return string(head)
	}
	macho := func(commands int, body []byte) string {
		head := make([]byte, 32)
		copy(head, "\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02")
		le.PutUint32(head[16:], uint32(commands))
		le.PutUint32(head[20:], uint32(len(body)))
		return string(head) + string(body)
	}
	command := func(kind, size uint32, rest ...uint32) []byte {
		b := make([]byte, size)
		le.PutUint32(b, kind)
		le.PutUint32(b[4:], size)
		for i, v := range rest {
			le.PutUint32(b[8+4*i:], v)
		}
		return b
	}
	pe := func(sections uint16, symbols, strings uint32, n int) string {
		head := make([]byte, 0x200+n)
		copy(head, "MZ")
		le.PutUint32(head[0x3c:], 0x80)
		copy(head[0x80:], "PE\x00\x00\x64\x86")
		le.PutUint16(head[0x86:], sections)
		le.PutUint32(head[0x8c:], 0x98) // symbols
		le.PutUint32(head[0x90:], symbols)
		le.PutUint16(head[0x94:], 0)
		if at := 0x98 + 18*int(symbols); at+4 < len(head) {
			le.PutUint32(head[at:], strings)
		}
		return string(head)
	}
	var segments []byte
	for range 100_000 {
		segments = append(segments, command(0x19, 72)...)
	}
	var sections []byte
	sections = append(sections, command(0x19, 72+80*300_000)...)
	le.PutUint32(sections[64:], 300_000)
	var symbols []byte
	symbols = append(symbols, command(2, 24, 56, 1<<22, 56, 16*mib)...)
	return map[string]string{
		"ELF of 65,535 segments": elf(func(h []byte) { le.PutUint64(h[32:], 64); le.PutUint16(h[56:], 0xffff) }, 56*0xffff),
		"ELF of 65,535 sections": elf(func(h []byte) { le.PutUint64(h[40:], 64); le.PutUint16(h[60:], 0xfeff) }, 64*0xffff),
		"ELF of many sections":   elf(func(h []byte) { le.PutUint64(h[40:], 64); le.PutUint64(h[64+32:], 1<<30) }, 64*0xffff),
		"Mach-O of segments":     macho(100_000, segments),
		"Mach-O of sections":     macho(1, sections),
		"Mach-O of symbols":      macho(2, append(symbols, command(0x1b, 24)...)) + strings.Repeat("a", 80*mib),
		"ELF of one name": elf(func(h []byte) {
			le.PutUint64(h[40:], 64)
			le.PutUint16(h[60:], 1000)
			le.PutUint64(h[64+24:], 1<<16)
			le.PutUint64(h[64+32:], 16*mib)
		}, 17*mib),
		"Mach-O of commands": macho(1<<31-1, make([]byte, 16*mib)),
		"PE of symbols":      pe(1, 5_000_000, 10, 100*mib),
		"PE of text":         pe(1, 1, 100*mib, 100*mib),
		"PE of sections":     pe(0xffff, 0, 0, 40*0xffff),
	}
}

// lines are Sigstore bundles of publishers in one file.
func (w *costWorld) attestations(text string) []string {
	return []string{"snapshot", "-q", "--cache", "off", "--no-seal", "--rekor-url", "off", "--allow-missing", "--trusted-root", w.file("root.json", string(testlog.TrustedRoot(testlog.TrustedLog{Shard: testlog.NewRekor("a").Shard()}))),
		"--artifact", "sha256:" + strings.Repeat("a", 64), "--attestations", w.file("a.jsonl", text), "-o", w.path("out.modseal")}
}

// Property: the Sigstore bundles of publishers cost no more than 256 MiB and ten seconds.
func TestCostOfHostileAttestations(t *testing.T) {
	const mib = 1 << 20
	const unproven, usage = 1, 2
	const head = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":`
	read := func(exit int, says, text string) hostileInput {
		return hostileInput{func(w *costWorld) []string { return w.attestations(text) }, exit, says}
	}
	one := func(before, repeat, after string) string { return fill(before, 1<<30, 4*mib, same(repeat), after) }
	statement := `{"_type":"https://in-toto.io/Statement/v1","subject":[` + strings.Repeat(`{"name":"","digest":{"sha256":"`+strings.Repeat("a", 64)+`"}},`, 30_000) + `{}]}`
	inputs := map[string]hostileInput{
		"log entries of nothing": read(unproven, "", one(head+`{"tlogEntries":[`, `{},`, `{}]}}`)),
		"time stamps of nothing": read(unproven, "", one(head+`{"timestampVerificationData":{"rfc3161Timestamps":[`, `{},`, `{}]}}}`)),
		"certificates":           read(unproven, "", one(head+`{"x509CertificateChain":{"certificates":[`, `{"rawBytes":"MIIB"},`, `{}]}}}`)),
		"nesting":                read(unproven, "", one(head, "[", "")),
		"subjects":               read(unproven, "", head+`{"tlogEntries":[{}]},"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","payload":"`+base64.StdEncoding.EncodeToString([]byte(statement))+`","signatures":[{"sig":"AAAA"}]}}`),
		"lines":                  read(unproven, "and 1980 more", strings.Repeat("{}\n", 2_000)),
		"more lines":             read(usage, "more than 2000 lines", strings.Repeat("{}\n", 2_001)),
		"empty lines":            read(unproven, "", strings.Repeat("\n", 64*mib)),
		"lines of nothing":       read(usage, "more than 2000 lines", strings.Repeat("x\n", 32*mib)),
		"one line":               read(unproven, "", strings.Repeat("[", 64*mib)),
	}
	measureInputs(t, inputs)
}
