package snapshot_test

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// A publisher is a world in which bob hands out Sigstore bundles, and no log is
// asked: there is no checksum database, and no Rekor unless a test sets its URL.
// What nobody vouched for may be missing.
type publisher struct {
	*world
	v2       *testlog.RekorTiles
	rekorURL string // where w.rekor is
	tilesURL string // where v2 is
	ca       *testlog.CA
	tsa      *testlog.TSA
	bob      *testlog.Signer // a key
	carol    *testlog.Signer // a certificate
}

// authorities are trusted beside the logs of a world.
type authorities struct {
	root.BaseTrustedMaterial
	logs map[string]*root.TransparencyLog
	ca   *testlog.CA
	tsa  *testlog.TSA
}

func (a *authorities) RekorLogs() map[string]*root.TransparencyLog { return a.logs }

func (a *authorities) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: a.ca.Certificate, ValidityPeriodStart: a.ca.Certificate.NotBefore}}
}

func (a *authorities) TimestampingAuthorities() []root.TimestampingAuthority {
	return []root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: a.tsa.Root, Leaf: a.tsa.Leaf, URI: "https://tsa.example"}}
}

const hostV2 = "rekor2.example"

func newPublisher(t testing.TB) *publisher {
	p := &publisher{world: newWorld(t), v2: &testlog.RekorTiles{Log: testlog.NewRekorV2(hostV2)}, ca: testlog.NewCA("ca"), tsa: testlog.NewTSA("tsa")}
	p.bob, p.carol = testlog.NewSigner("bob"), p.ca.Issue("carol@example.com", "https://issuer.example", testlog.Epoch())
	server := httptest.NewServer(p.v2)
	t.Cleanup(server.Close)
	p.rekorURL, p.tilesURL = p.request.RekorURL, server.URL
	for i := range byte(5) {
		p.v2.Log.Add(testlog.NewSigner("stranger").BodyV2([32]byte{i}))
	}
	p.trustAll()
	carol, err := policy.IdentitySigner(policy.Identity{Subject: "carol@example.com", Issuer: "https://issuer.example"})
	if err != nil {
		t.Fatal(err)
	}
	p.flags = policy.Flags{Require: policy.RequireRekor, Signers: []policy.Signer{policy.KeySigner(private(t, p.bob).Public()), carol}}
	p.env["GOSUMDB"] = "off"
	p.request.RekorURL, p.request.AllowMissing, p.request.Fetch = "", true, client(noNetwork{t})
	return p
}

// trustAll trusts all shards that there are now, and the authorities.
func (p *publisher) trustAll() {
	p.request.Trust = p.material()
	id := p.v2.Log.LogID()
	p.request.Trust.Sigstore = append(p.request.Trust.Sigstore, &authorities{ca: p.ca, tsa: p.tsa, logs: map[string]*root.TransparencyLog{
		hex.EncodeToString(id[:]): {ID: id[:], HashFunc: crypto.SHA256, PublicKey: p.v2.Log.PublicKey(), SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Unix(0, 0), BaseURL: "http://" + hostV2},
	}})
}

// noNetwork fails the test that uses it.
type noNetwork struct{ testing.TB }

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	n.Errorf("%s %s was sent", r.Method, r.URL)
	return nil, http.ErrUseLastResponse
}

// online lets the Rekor be asked.
func (p *publisher) online() {
	p.request.RekorURL, p.request.Fetch = p.rekorURL, client(nil)
}

// entry is an entry of Rekor v1 with its proof in the newest tree.
func (p *publisher) entry(body []byte, e *bundles.Envelope) *evidence.Entry {
	return p.entryOf(p.rekor, p.rekor.Add(body), e)
}

func (p *publisher) entryOf(r *testlog.Rekor, l testlog.Entry, e *bundles.Envelope) *evidence.Entry {
	s := r.Shard()
	return &evidence.Entry{
		Body: l.Body, LogID: l.LogID, LogIndex: l.LogIndex, IntegratedTime: l.IntegratedTime, SET: l.SET,
		Inclusion: s.Inclusion(l.Index, s.Size()), Checkpoint: s.Checkpoint(s.Size()), Envelope: e,
	}
}

// entryV2 is the same of Rekor v2, with a time stamp of the signature.
func (p *publisher) entryV2(body []byte, e *bundles.Envelope, signature []byte) *evidence.Entry {
	log := p.v2.Log
	i := log.Add(body)
	return &evidence.Entry{
		V2: true, Body: body, LogID: log.LogID(), Inclusion: log.Inclusion(i, log.Size()), Checkpoint: log.Checkpoint(log.Size()),
		Envelope: e, Timestamps: [][]byte{p.tsa.Stamp(signature, testlog.Epoch().Add(5*time.Minute))},
	}
}

// blob is bob's entry over a digest in Rekor v1, blobV2 in Rekor v2.
func (p *publisher) blob(digest [32]byte) *evidence.Entry { return p.entry(p.bob.Body(digest), nil) }

func (p *publisher) blobV2(digest [32]byte) *evidence.Entry {
	return p.entryV2(p.bob.BodyV2(digest), nil, p.bob.Sign(digest))
}

// statement is bob's entry of kind dsse about a subject, which no search finds.
func (p *publisher) statement(name, algorithm, digest string) *evidence.Entry {
	e := p.bob.Envelope(testlog.Statement("https://slsa.dev/provenance/v1", testlog.Subject{Name: name, Digest: map[string]string{algorithm: digest}}))
	return p.entry(p.bob.DSSE(e), e)
}

// file is a Sigstore bundle, on one line.
func (p *publisher) file(e *evidence.Entry) string {
	p.Helper()
	b, err := e.MarshalSigstore()
	if err != nil {
		p.Fatal(err)
	}
	return string(b)
}

// publish hands out a file of this text, and gives its name.
func (p *publisher) publish(name, text string) string {
	p.Helper()
	write(p, p.path("published/"+name), text)
	p.request.Attestations = append(p.request.Attestations, p.path("published/"+name))
	return p.path("published/" + name)
}

// edited is a Sigstore bundle after a change of its JSON.
func (p *publisher) edited(file string, edit func(bundle, entry map[string]any)) string {
	p.Helper()
	var b map[string]any
	if err := json.Unmarshal([]byte(file), &b); err != nil {
		p.Fatal(err)
	}
	edit(b, b["verificationMaterial"].(map[string]any)["tlogEntries"].([]any)[0].(map[string]any))
	out, err := json.Marshal(b)
	if err != nil {
		p.Fatal(err)
	}
	return string(out) + "\n"
}

// unproven is the bundle as old clients made it: without an inclusion proof.
func (p *publisher) unproven(file string) string {
	p.Helper()
	return p.edited(file, func(b, e map[string]any) {
		delete(e, "inclusionProof")
		b["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
		if _, ok := b["verificationMaterial"].(map[string]any)["publicKey"]; !ok {
			p.Fatal("only bundles by key are known to be the same in version 0.1")
		}
	})
}

// verdicts demands these of the modules, after a snapshot and in the enclave.
func (p *publisher) verdicts(s *snapshot.Summary, want map[string]verify.Status) {
	p.Helper()
	for who, r := range map[string]*verify.Report{"snapshot": s.Reports[0], "enclave": p.enclave()} {
		for _, m := range r.Modules {
			if m.Status != want[m.Path] && (want[m.Path] != verify.Unchecked || m.Status != verify.NotLogged) {
				p.Errorf("%s: %s is %s: %s %+v", who, m.Path, m.Status, m.Reason, m.Evidence)
			}
		}
		for _, a := range r.Artifacts {
			if a.Status != want[a.String()] {
				p.Errorf("%s: %s is %s: %s %+v", who, a.String(), a.Status, a.Reason, a.Evidence)
			}
		}
		for _, l := range r.Logs {
			if !l.Proven {
				p.Errorf("%s: log %s: %s", who, l.Name, l.Problem)
			}
		}
	}
}

// refused demands that a snapshot fails for a Sigstore bundle.
func (p *publisher) refused(file string, line int, says string) *snapshot.PublishedError {
	p.Helper()
	err := p.fail()
	e, ok := err.(*snapshot.PublishedError)
	if !ok || len(e.Files) == 0 || e.Files[0].File != file || e.Files[0].Line != line || !strings.Contains(err.Error(), says) {
		p.Fatalf("%T %v; want %q of %s, line %d", err, err, says, file, line)
	}
	return e
}

// link makes a symbolic link beside a folder.
func (p *publisher) link(from, to string) {
	p.Helper()
	if err := os.Symlink(p.path(from), p.path(to)); err != nil {
		p.Skip("no symbolic links: ", err)
	}
}
