package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/testtuf"
)

// reply is an answer in pieces, as long as it may be and longer: it is sent until the
// client has heard enough.
type reply struct {
	before   string
	repeated func(i int) string
	n        int // how often; negative is for ever
	after    string
	header   http.Header
}

func (a reply) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if status, err := strconv.Atoi(a.header.Get("X-Status")); err == nil {
		w.WriteHeader(status)
	}
	if _, err := io.WriteString(w, a.before); err != nil {
		return
	}
	var chunk bytes.Buffer
	for i := 0; a.n < 0 || i < a.n; i++ {
		chunk.WriteString(a.repeated(i))
		if chunk.Len() > 1<<16 || i == a.n-1 {
			if _, err := w.Write(chunk.Bytes()); err != nil {
				return
			}
			chunk.Reset()
		}
	}
	_, _ = io.WriteString(w, a.after)
}

// instead serves what an honest server does, but for paths with this in them, which must
// be asked for.
func (w *costWorld) instead(honest http.Handler, path string, a reply) http.Handler {
	var asked atomic.Bool
	w.Cleanup(func() {
		if !asked.Load() {
			w.Errorf("nobody asked for %q", path)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, path) {
			asked.Store(true)
			a.send(w)
			return
		}
		honest.ServeHTTP(w, r)
	})
}

// serve is the URL of a server.
func (w *costWorld) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	w.Cleanup(s.Close)
	return s.URL
}

// artifacts are flags for n digests.
func artifacts(n int) (flags []string) {
	for i := range n {
		flags = append(flags, fmt.Sprintf("--artifact=sha256:%064x", i+1))
	}
	return flags
}

// artifactsOf is a snapshot of n artifacts, over each of which the index names as many
// entries, with a Rekor that gives this answer for what has path in its path.
func artifactsOf(n, entries int, path string, a reply, says string) hostileInput {
	return hostileInput{func(w *costWorld) []string {
		log := testlog.NewRekor("rekor.example.com")
		for i := range n {
			for j := range entries {
				log.AddToIndex([32]byte{31: byte(i + 1)}, fmt.Sprintf("%064x", i<<16+j))
			}
		}
		w.file("rekor.pub", string(log.Shard().PublicPEM()))
		return append([]string{"snapshot", "-q", "--no-seal", "-o", w.path("out.modseal"), "--cache", "off", "--rekor-url", w.serve(w.instead(log, path, a)),
			"--rekor-public-key", w.path("rekor.pub"), "--key", w.path("seal.pub")}, artifacts(n)...)
	}, 2, says}
}

// cached puts the module into the module cache, and gives it as an argument.
func (w *costWorld) cached() string {
	w.zipFile(func(z *zip.Writer) { add(z, hostileModule+"@v0.0.0/a", 1) })
	w.file("modcache/cache/download/a.b/c/@v/v0.0.0.mod", "module "+hostileModule+"\n")
	return hostileModule + "@v0.0.0"
}

// moduleOf is a snapshot of a module, with a checksum database that gives this answer.
func moduleOf(path string, a func(db *testlog.SumDB) reply, says string) hostileInput {
	return hostileInput{func(w *costWorld) []string {
		w.cached()
		db := testlog.NewSumDB("sum.example.com")
		sum := "h1:" + strings.Repeat("A", 43) + "="
		db.Add(module.Version{Path: hostileModule, Version: "v0.0.0"}, sum, sum)
		w.env = append(w.env, "GOPROXY=direct", "GOSUMDB="+db.Key()+" "+w.serve(w.instead(db, path, a(db))))
		return []string{"snapshot", "-q", "--no-seal", "--no-download", "-o", w.path("out.modseal"), "--cache", "off", "--rekor-url", "off", w.path("app")}
	}, 2, says}
}

// attestOf is an attestation whose Rekor, Fulcio or authority gives this answer.
func attestOf(server, path string, a reply, says string) hostileInput {
	return hostileInput{func(w *costWorld) []string {
		log, ca, tsa := testlog.NewRekor("rekor.example.com"), testlog.NewCA("fulcio"), testlog.NewTSA("tsa")
		w.file("root.json", string(testlog.Sigstore{Rekor: []*testlog.Rekor{log}, Fulcio: []*testlog.CA{ca}, TSA: []*testlog.TSA{tsa}}.TrustedRoot()))
		url := map[string]http.Handler{"rekor": log, "fulcio": &testlog.Fulcio{CA: ca}, "tsa": tsa}
		url[server] = w.instead(url[server], path, a)
		args := []string{"attest", "-q", "-o", w.path("out"), "--rekor-url", w.serve(url["rekor"]), "--trusted-root", w.path("root.json"), w.cached(), "--timestamp-server-url", w.serve(url["tsa"])}
		if server != "fulcio" {
			return append(args, "--key", w.path("seal.key"))
		}
		return append(args, "--fulcio-url", w.serve(url["fulcio"]), "--identity-token", testlog.Token("a@example.com", "https://issuer.example.com"))
	}, 2, says}
}

// proofsOf is a snapshot of artifacts that are all signed, with a Rekor that proves each
// entry in a tree of its own and gives this answer for the proofs that one is within another.
func proofsOf(a reply, says string) hostileInput {
	return hostileInput{func(w *costWorld) []string {
		log, alice := testlog.NewRekor("rekor.example.com"), testlog.NewSigner("seal")
		log.HeadSize = func(e testlog.Entry) uint64 { return e.Index + 1 }
		for i := range 64 {
			log.Add(alice.Body([32]byte{31: byte(i + 1)}))
		}
		w.file("rekor.pub", string(log.Shard().PublicPEM()))
		return append([]string{"snapshot", "-q", "--no-seal", "-o", w.path("out.modseal"), "--cache", "off", "--rekor-url", w.serve(w.instead(log, "log/proof", a)),
			"--rekor-public-key", w.path("rekor.pub"), "--key", w.path("seal.pub")}, artifacts(64)...)
	}, 2, says}
}

// tilesOf is a snapshot of an artifact that has an attestation in a Rekor v2, whose files
// are so.
func tilesOf(path string, a func(p *publisher) reply, exit int, says string) hostileInput {
	return hostileInput{func(w *costWorld) []string {
		p := newPublisher()
		text := p.attestations(w.T, [32]byte{31: 1}, 600, p.ownStamps(1))
		return append([]string{"snapshot", "-q", "--no-seal", "-o", w.path("out.modseal"), "--cache", "off", "--rekor-url", "off", "--trusted-root", w.file("root.json", p.root()), "--attestations", w.file("a.jsonl", text),
			"--rekor-tiles", w.serve(w.instead(&testlog.RekorTiles{Log: p.log}, path, a(p))), "--certificate-identity", "nobody@example.com", "--certificate-oidc-issuer", "https://issuer.example"}, artifacts(1)...)
	}, exit, says}
}

// attestV2Of is an attestation in a Rekor v2 that gives this answer.
func attestV2Of(a reply, says string) hostileInput {
	return hostileInput{func(w *costWorld) []string {
		p := newPublisher()
		return []string{"attest", "-q", "-o", w.path("out"), "--rekor-version=2", "--rekor-url", w.serve(w.instead(p.log, "log/entries", a)), "--trusted-root", w.file("root.json", p.root()),
			w.cached(), "--timestamp-server-url", w.serve(p.tsa), "--key", w.path("seal.key")}
	}, 2, says}
}

// mirrorOf is a fetch of a chain of so many roots, from a mirror that gives this answer, or
// of "" only honest ones.
func mirrorOf(roots int, path string, a reply, exit int, says string) hostileInput {
	return hostileInput{func(w *costWorld) []string {
		roles := testtuf.Roles{Root: []string{"a"}, Threshold: 1, Timestamp: "t", Snapshot: "s", Targets: "g", Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
		r := testtuf.New(true, roles)
		for range roots {
			r.Rotate(roles, "a")
		}
		r.Publish(testtuf.State{Target: testlog.TrustedRoot(testlog.TrustedLog{Shard: testlog.NewRekor("a").Shard()})})
		var mirror http.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if data, ok := r.Files[strings.TrimPrefix(q.URL.Path, "/")]; ok {
				_, _ = w.Write(data)
				return
			}
			http.NotFound(w, q)
		})
		if path != "" {
			mirror = w.instead(mirror, path, a)
		}
		return []string{"trust", "fetch", "-q", "-o", w.path("trust"), "--tuf-mirror", w.serve(mirror), "--tuf-root", w.file("root.json", string(r.RootFile(1)))}
	}, exit, says}
}

// Property: what servers answer costs no more than 256 MiB and ten seconds, however much
// and whatever it is, and leaves nothing behind.
func TestCostOfHostileServers(t *testing.T) {
	const mib = 1 << 20
	list := func(before, repeated, after string, n int) reply {
		return reply{before, same(repeated), max((n-len(before)-len(after))/len(repeated), 0), after, nil}
	}
	endless := func(before, repeated string) reply { return reply{before, same(repeated), -1, "", nil} }
	zeros := endless("", strings.Repeat("\x00", 1<<12))
	db := func(a reply) func(*testlog.SumDB) reply { return func(*testlog.SumDB) reply { return a } }
	answer := func(a reply) func(*publisher) reply { return func(*publisher) reply { return a } }
	v2Tree := func(size uint64) func(*publisher) reply {
		return func(p *publisher) reply {
			return list(string(p.log.SignNote(fmt.Sprintf("rekor2.example\n%d\n%s\n", size, strings.Repeat("A", 43)+"="))), "\n", "", 0)
		}
	}
	tree := func(size uint64) func(*testlog.SumDB) reply {
		return func(db *testlog.SumDB) reply {
			return list(string(db.SignNote(fmt.Sprintf("go.sum database tree\n%d\n%s\n", size, strings.Repeat("A", 43)+"="))), "\n", "", 0)
		}
	}
	inputs := map[string]hostileInput{
		"Rekor search of UUIDs":     artifactsOf(32, 0, "index/retrieve", reply{"[", func(i int) string { return fmt.Sprintf("\"%064x\",", i) }, -1, "", nil}, "more than 2000 entries"),
		"Rekor search of nothing":   artifactsOf(32, 0, "index/retrieve", endless("[", `"",`), "malformed"),
		"Rekor entries of nothing":  artifactsOf(8, 100, "entries/retrieve", list("[", "{},", "{}]", 8*mib), "more than 20000 values"),
		"Rekor entries of hashes":   artifactsOf(8, 100, "entries/retrieve", list(`[{"a":{"verification":{"inclusionProof":{"hashes":[`, `"",`, `""]}}}}]`, 8*mib), "more than 20000 values"),
		"Rekor entries of members":  artifactsOf(8, 100, "entries/retrieve", reply{`[{`, func(i int) string { return fmt.Sprintf("\"%x\":{},", i) }, 8 * mib / 12, `"x":{}}]`, nil}, "more than 20000 values"),
		"Rekor entries of one body": artifactsOf(8, 100, "entries/retrieve", list(`[{"a":{"body":"`, "AAAA", `"}}]`, 8*mib), "doesn't have 80 or 64 hex digits"),
		"Rekor entries for ever":    artifactsOf(8, 100, "entries/retrieve", zeros, "over the size limit"),
		"Rekor shards of nothing":   artifactsOf(1, 0, "/log", list(`{"inactiveShards":[`, `{},`, `{}]}`, 4*mib), "more than 20000 values"),
		"Rekor shards of brackets":  artifactsOf(1, 0, "/log", list("", "[", "", 4*mib), "nested deeper than 16"),
		"Rekor of headers":          artifactsOf(32, 0, "index/retrieve", reply{"[]", same("\n"), 1, "", manyHeaders(mib)}, "server response headers exceeded"),
		"Rekor of packed zeros":     artifactsOf(32, 0, "index/retrieve", packed(64*mib), "over the limit that isn't a list"),
		"Rekor of redirects":        artifactsOf(1, 0, "/log", reply{"", same(""), 1, "", http.Header{"Location": {"/api/v1/log"}, "X-Status": {"302"}}}, "redirect refused"),

		"Rekor proofs of hashes":   proofsOf(list(`{"rootHash":"","hashes":[`, `"",`, `""]}`, 60<<10), "more than 20000 values"),
		"Rekor proofs of one hash": proofsOf(list(`{"rootHash":"","hashes":["`, "a", `"]}`, 60<<10), "hash"),
		"Rekor proofs for ever":    proofsOf(zeros, "answer over the limit"),

		"tiles of zeros":       tilesOf("tile", answer(zeros), 1, "artifacts lack evidence"),
		"checkpoint of zeros":  tilesOf("checkpoint", answer(zeros), 1, "artifacts lack evidence"),
		"checkpoint of lines":  tilesOf("checkpoint", answer(list("rekor2.example\n", "\n", "", 15<<10)), 2, "checkpoint"),
		"checkpoint of 2^62-1": tilesOf("checkpoint", v2Tree(1<<62-1), 1, "artifacts lack evidence"),
		"checkpoint of 2^63":   tilesOf("checkpoint", v2Tree(1<<63), 2, "tree size"),

		"attest and v2 entries": attestV2Of(reply{`{"a":`, same("["), 500_000, "", http.Header{"X-Status": {"201"}}}, "answer"),
		"attest and v2 hashes":  attestV2Of(reply{`{"inclusionProof":{"hashes":[`, same(`"",`), mib/3 - 20, `""]}}`, http.Header{"X-Status": {"201"}}}, "answer"),
		"attest and v2 zeros":   attestV2Of(reply{"", same("\x00"), -1, "", http.Header{"X-Status": {"201"}}}, "answer"),

		"database of zeros":      moduleOf("", db(zeros), "answer over the limit"),
		"database of signatures": moduleOf("latest", db(list("a\n\n", "\u2014 a AAAAAAAA\n", "", 32<<10)), "note"),
		"database of records":    moduleOf("lookup", db(list("0\n", "a\n", "", 64<<10)), "record"),
		"database of 2^62":       moduleOf("latest", tree(1<<62), "above the limit"),
		"database of 2^62-1":     moduleOf("latest", tree(1<<62-1), "tile"),
		"database of 2^63":       moduleOf("latest", tree(1<<63-1), "above the limit"),
		"database of tiles":      moduleOf("tile", db(zeros), "answer over the limit"),

		"attest and entries":      attestOf("rekor", "log/entries", reply{`{"a":`, same("["), 500_000, "", http.Header{"X-Status": {"201"}}}, "nested deeper than 16"),
		"attest and certificates": attestOf("fulcio", "", list(`{"signedCertificateEmbeddedSct":{"chain":{"certificates":[`, `"",`, `""]}}}`, mib), "unable to parse Fulcio certificate"),
		"attest and zeros":        attestOf("fulcio", "", zeros, "certificate of"),
		"attest and time stamps":  attestOf("tsa", "", list("\x30\x83\x0f\xff\xfb", "\x30\x00", "", mib), "timestamp of"),
		"attest and huge keys":    attestOf("tsa", "", reply{string(newPublisher().hugeStamps(1, 3_000_000)(nil)[0]), same(""), 1, "", http.Header{"X-Status": {"201"}}}, "more than 32768 bytes"),
		"attest and large keys":   attestOf("tsa", "", reply{string(newPublisher().hugeStamps(1, 80_000)(nil)[0]), same(""), 1, "", http.Header{"X-Status": {"201"}}}, "RSA key of more than 8192 bits"),
		"attest and headers":      attestOf("tsa", "", reply{"", same(""), 1, "", manyHeaders(mib)}, "server response headers exceeded"),

		"mirror of roots":  mirrorOf(300, "", reply{}, 1, "more than 256"),
		"mirror of zeros":  mirrorOf(1, "timestamp", zeros, 2, "answer over the limit"),
		"mirror of nested": mirrorOf(1, "targets", list("", "[", "", 4*mib), 1, "targets.json"),
	}
	measureInputs(t, inputs)
}

// packed is an answer that nobody asked to be so: zeros in gzip.
func packed(n int64) reply {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.CopyN(z, zeros{}, n)
	_ = z.Close()
	return reply{b.String(), same(""), 1, "", http.Header{"Content-Encoding": {"gzip"}}}
}

// manyHeaders are about so many bytes.
func manyHeaders(n int) http.Header {
	h := http.Header{}
	for i := range n / 12 {
		h[fmt.Sprintf("X%06x", i)] = []string{"x"}
	}
	return h
}
