package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
)

func TestMain(m *testing.M) {
	testscript.Main(m, programs())
}

// TestScripts runs the stories in testdata: each a session at a shell, with a
// module proxy, a checksum database and a Rekor of its own on loopback.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, Setup: setup,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Condition:     condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": publish, "flip": flip, "append": appendTo, "requests": requests, "exit": exit, "tuf": tuf, "sigstore": sigstore, "forge": forge, "records": records, "zip": zipFolder, "ziphash": ziphash, "gosum": goSum, "called": called,
			"grow": grow, "rewrite": rewrite, "truncate": truncate, "kill9": kill,
		},
	})
}

// world is what a script has around it.
type world struct {
	sumdb  *testlog.SumDB
	rekor  *testlog.Rekor
	rekor2 *testlog.RekorV2
	tuf    *tufMirror
}

func setup(e *testscript.Env) error {
	w := &world{sumdb: testlog.NewSumDB("sum.example.com"), rekor: testlog.NewRekor("rekor.example.com"), tuf: newTUFMirror()}
	ca, tsa, rekor2 := testlog.NewCA("fulcio"), testlog.NewTSA("tsa"), testlog.NewRekorV2("rekor2.example.com")
	w.rekor2 = rekor2
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		e.Defer(s.Close)
		return s.URL
	}
	e.Values["world"] = w
	work := e.WorkDir
	for _, dir := range []string{"home/config/go/telemetry", "proxy", "modcache"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			return err
		}
	}
	files := map[string][]byte{
		"rekor.pub": w.rekor.Shard().PublicPEM(),
		"trusted_root.json": testlog.Sigstore{
			Rekor: []*testlog.Rekor{w.rekor}, V2: []*testlog.RekorV2{rekor2}, Fulcio: []*testlog.CA{ca}, TSA: []*testlog.TSA{tsa},
		}.TrustedRoot(),
		"alice.token": []byte(testlog.Token("alice@example.com", "https://issuer.example.com") + "\n"),
		"bob.token":   []byte(testlog.Token("bob@example.com", "https://issuer.example.com")),
		// else the go command goes on writing there after it is done
		"home/config/go/telemetry/mode": []byte("off\n"),
	}
	for _, name := range []string{"seal", "signer", "other"} { // keys that are the same every time
		k, err := keys.ParsePrivate(testlog.NewSigner(name).PrivatePEM(), nil)
		if err != nil {
			return err
		}
		files[name+".pub"] = k.Public().MarshalPEM()
		files[name+".key"] = testlog.NewSigner(name).PrivatePEM()
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(work, name), data, 0o600); err != nil {
			return err
		}
	}
	fulcioURL, tsaURL, rekorURL, rekor2URL := serve(&testlog.Fulcio{CA: ca}), serve(tsa), serve(w.rekor), serve(rekor2)
	config := fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","caUrls":[%s],"oidcUrls":[],"rekorTlogUrls":[%s,%s],"tsaUrls":[%s],"rekorTlogConfig":{"selector":"ANY"},"tsaConfig":{"selector":"ANY"}}`,
		service(fulcioURL, 1), service(rekorURL, 1), service(rekor2URL, 2), service(tsaURL, 1))
	if err := os.WriteFile(filepath.Join(work, "signing_config.json"), []byte(config), 0o600); err != nil {
		return err
	}
	stdlib := os.Getenv("GOCACHE") // for stories that build: not to compile the standard library anew
	if dir, err := os.UserCacheDir(); stdlib == "" && err == nil {
		stdlib = filepath.Join(dir, "go-build")
	}
	e.Vars = append(e.Vars, "WARM_GOCACHE="+stdlib, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "SANDBOX="+offered(),
		"HOME="+filepath.Join(work, "home"), "XDG_CACHE_HOME="+filepath.Join(work, "home", "cache"), "XDG_CONFIG_HOME="+filepath.Join(work, "home", "config"),
		"GOPROXY=file://"+filepath.ToSlash(filepath.Join(work, "proxy")), "GOMODCACHE="+filepath.Join(work, "modcache"),
		"GOSUMDB="+w.sumdb.Key()+" "+serve(w.sumdb), "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local", "GOENV=off",
		"GOCACHE="+filepath.Join(work, "home", "gocache"), "SOURCE_DATE_EPOCH=1790000000", "REKOR_URL="+rekorURL, "TUF_URL="+serve(w.tuf),
		"REKOR2_URL="+rekor2URL, "FULCIO_URL="+fulcioURL, "TSA_URL="+tsaURL,
	)
	return nil
}

// service is one of a signing config.
func service(url string, version int) string {
	return fmt.Sprintf(`{"url":%q,"majorApiVersion":%d,"validFor":{"start":"2020-01-01T00:00:00Z"},"operator":%q}`, url, version, url)
}

// publish MODULE@VERSION DIR puts a folder into the module proxy and its hashes
// into the checksum database.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: publish MODULE@VERSION DIR")
	}
	path, version, _ := strings.Cut(args[0], "@")
	m := module.Version{Path: path, Version: version}
	escPath, err := module.EscapePath(path)
	ts.Check(err)
	escVersion, err := module.EscapeVersion(version)
	ts.Check(err)
	dir := filepath.Join(ts.Getenv("WORK"), "proxy", filepath.FromSlash(escPath), "@v")
	ts.Check(os.MkdirAll(dir, 0o755))
	file, goMod := zipOf(ts, m, ts.MkAbs(args[1]))
	base := filepath.Join(dir, escVersion)
	ts.Check(os.WriteFile(base+".zip", file, 0o644))
	ts.Check(os.WriteFile(base+".mod", goMod, 0o644))
	ts.Check(os.WriteFile(base+".info", fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version), 0o644))
	list, err := os.OpenFile(filepath.Join(dir, "list"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	ts.Check(err)
	_, err = fmt.Fprintln(list, version)
	ts.Check(err)
	ts.Check(list.Close())
	h1, err := dirhash.HashZip(base+".zip", dirhash.Hash1)
	ts.Check(err)
	goModH1, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(goMod)), nil
	})
	ts.Check(err)
	ts.Value("world").(*world).sumdb.Add(m, h1, goModH1)
}

// zipOf zips a folder as a module, the same way each time.
func zipOf(ts *testscript.TestScript, m module.Version, dir string) (file, goMod []byte) {
	names, err := dirhash.DirFiles(dir, m.String())
	ts.Check(err)
	slices.Sort(names)
	goMod = []byte("module " + m.Path + "\n")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		rel := strings.TrimPrefix(name, m.String()+"/")
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(rel)))
		ts.Check(err)
		if rel == "go.mod" {
			goMod = data
		}
		w, err := z.Create(name)
		ts.Check(err)
		_, err = w.Write(data)
		ts.Check(err)
	}
	ts.Check(z.Close())
	return b.Bytes(), goMod
}

// records N fills the checksum database with so many records of other modules.
func records(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: records N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		m := module.Version{Path: fmt.Sprintf("example.com/other%d", i), Version: "v1.0.0"}
		ts.Value("world").(*world).sumdb.Add(m, "h1:"+strings.Repeat("A", 43)+"=", "h1:"+strings.Repeat("A", 43)+"=")
	}
}

// zip MODULE@VERSION DIR FILE zips a folder as a module.
func zipFolder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: zip MODULE@VERSION DIR FILE")
	}
	path, version, _ := strings.Cut(args[0], "@")
	file, _ := zipOf(ts, module.Version{Path: path, Version: version}, ts.MkAbs(args[1]))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), file, 0o644))
}

// ziphash ZIP FILE writes the zip's h1 as the go command keeps it beside a zip.
func ziphash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ziphash ZIP FILE")
	}
	h1, err := dirhash.HashZip(ts.MkAbs(args[0]), dirhash.Hash1)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(h1), 0o644))
}

// gosum FILE MODULE@VERSION ZIP puts the zip's h1 into go.sum in place of the module's.
func goSum(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: gosum FILE MODULE@VERSION ZIP")
	}
	h1, err := dirhash.HashZip(ts.MkAbs(args[2]), dirhash.Hash1)
	ts.Check(err)
	prefix := strings.Replace(args[1], "@", " ", 1) + " "
	var out strings.Builder
	found := false
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if strings.HasPrefix(line, prefix) {
			found, line = true, prefix+h1+"\n"
		}
		out.WriteString(line)
	}
	if !found {
		ts.Fatalf("%s: no line for %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o644))
}

// sigstore SIGNER FILE BUNDLE signs a file, logs that in the Rekor, and writes the
// Sigstore bundle that its publisher would hand out. At the end of BUNDLE, if it
// is there.
func sigstore(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sigstore SIGNER FILE BUNDLE")
	}
	rekor := ts.Value("world").(*world).rekor
	e := rekor.Add(testlog.NewSigner(args[0]).Body(sha256.Sum256([]byte(ts.ReadFile(args[1])))))
	shard := rekor.Shard()
	entry := &evidence.Entry{
		Body: e.Body, LogID: e.LogID, LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime, SET: e.SET,
		Inclusion: shard.Inclusion(e.Index, shard.Size()), Checkpoint: shard.Checkpoint(shard.Size()),
	}
	b, err := entry.MarshalSigstore()
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[2])), 0o755))
	appendTo(ts, false, []string{args[2], strings.TrimSpace(string(b))})
}

// flip FILE OFFSET changes one bit of a file; a negative offset counts from its
// end.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	name := ts.MkAbs(args[0])
	data, err := os.ReadFile(name)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 1
	ts.Check(os.Chmod(name, 0o644))
	ts.Check(os.WriteFile(name, data, 0o644))
}

// append FILE TEXT adds to a file, or makes one.
func appendTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE TEXT")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	ts.Check(err)
	_, err = fmt.Fprintln(f, args[1])
	ts.Check(err)
	ts.Check(f.Close())
}

// requests sumdb|rekor PATTERN asserts that a path with PATTERN was asked for
// since the last such line; ! requests that none was.
func requests(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: requests sumdb|rekor PATTERN")
	}
	w := ts.Value("world").(*world)
	list := w.sumdb.Requests()
	if args[0] == "rekor" {
		list = w.rekor.Requests()
	}
	found := slices.ContainsFunc(list, func(r string) bool { return strings.Contains(r, args[1]) })
	if found == neg {
		ts.Fatalf("requests to %s: %q", args[0], list)
	}
}

// exit CODE COMMAND... runs a command that must end with this exit code; its
// output is then as after exec.
func exit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s\n%s%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}
