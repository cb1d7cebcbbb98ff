package gate

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/keyless"
	"github.com/modseal/modseal/e2e/stack"
	"github.com/modseal/modseal/e2e/tufrepo"
)

// A log rotates its shard, its key and, as the trusted root tells of that, a TUF repository its keys. What was logged before and
// after is proven in one bundle, each in its own shard and in the time of its own key; a bundle of before is good as it was.
func TestShardRotation(t *testing.T) {
	t.Parallel()
	const before, after = "github.com/google/uuid@v1.3.0", "github.com/inconshreveable/mousetrap@v1.0.0"
	rekor, err := stack.Start(t.Context(), stack.Options{Sigstore: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rekor.Close() })
	s := newSite(t, before, after)
	s.rekor, s.logKey = rekor.URL, ""
	trusted := func() []byte { return s.read(rekor.Sigstore.TrustedRootPath) }
	repo, err := tufrepo.New(map[string][]byte{stack.TrustedRootName: trusted()})
	s.must(err)
	t.Cleanup(repo.Close)
	s.write(filepath.Join(s.home, "root.json"), string(repo.FirstRoot()))
	pinned := []string{"--tuf-root", "root.json"}
	signers := []string{"--require", "rekor", "--certificate-identity", alice, "--certificate-oidc-issuer", rekor.Sigstore.IssuerURL}
	take := slices.Concat(signers, pinned, []string{"--trust", "trust", "--attestations", published})

	old := rekor.Ready
	s.project("old", "1.24", before)
	s.publish(keyless.Request{Rekor: rekor, Artifact: s.zipOf(before), Email: alice, V1: true, V2: true})
	s.fetchTrust(0, repo, "trust")
	s.run(0, slices.Concat([]string{"snapshot", "--seal-key", "seal.key", "--rekor-url", s.rekor, "-o", "old.modseal"}, take, []string{"old"})...)

	s.must(rekor.Rotate(t.Context()))
	s.publish(keyless.Request{Rekor: rekor, Artifact: s.zipOf(after), Email: alice, V1: true, V2: true})
	s.must(repo.Publish(map[string][]byte{stack.TrustedRootName: trusted()}))
	s.must(repo.Rotate(tufrepo.Root))
	// With the trust of before, what is in the new shard does not count, and that is said.
	s.says(s.snapshot(0, take...).stderr, after+": entries left out: 1 in a shard whose key is not trusted")
	s.fetchTrust(0, repo, "trust")
	s.snapshot(0, take...)

	r := s.enclave(0, append(signers, pinned...)...)
	s.allVerified(r)
	if r.Trust == nil || r.Trust.RootVersion != 2 {
		t.Errorf("trust is reported as %+v", r.Trust)
	}
	var shards []string
	for _, l := range r.Logs {
		if l.Kind == "rekor-v1" && l.Proven && l.Entries == 1 {
			shards = append(shards, l.Name)
		}
	}
	want := []string{old.Hostname + " - " + old.TreeID, rekor.Hostname + " - " + rekor.TreeID}
	slices.Sort(want)
	if !slices.Equal(shards, want) || old.TreeID == rekor.TreeID {
		t.Errorf("entries of Rekor v1 are in the shards %q, want %q", shards, want)
	}
	for _, name := range s.modules {
		if m := s.module(r, name); m.accepted() != "zip zip" {
			t.Errorf("%s: accepted is evidence over %q", name, m.accepted())
		}
	}
	// So says cosign, with the same trusted root.
	s.alone(0, "export", "--seal-key", "seal.pub", "--sigstore", "pieces", s.bundle())
	for _, name := range s.modules {
		for _, n := range []string{"0", "1"} {
			p := piece{name: name + ".zip." + n + ".sigstore.json", of: s.zipOf(name), email: alice, servers: rekor.Sigstore}
			if out, err := s.cosign(filepath.Join(s.home, "pieces"), p, p.of); err != nil {
				t.Errorf("%s: cosign: %v\n%s", p.name, err, out)
			}
		}
	}
	// The old bundle is verified by the chain that it carries, and by what the enclave has fetched since.
	verifyOld := func(flags ...string) *report {
		return s.report(s.alone(0, slices.Concat([]string{"verify", "--format", "json", "--seal-key", "seal.pub"}, signers, pinned, flags, []string{"old.modseal", "old"})...).stdout, 0)
	}
	if r := verifyOld(); r.Trust == nil || r.Trust.RootVersion != 1 {
		t.Errorf("of the old bundle trust is reported as %+v", r.Trust)
	}
	if r := verifyOld("--trust", "trust"); r.Trust == nil || r.Trust.RootVersion != 2 {
		t.Errorf("with the newer chain trust is reported as %+v", r.Trust)
	}

	// A key counts in its time alone: with windows that end before, or begin after, its entries don't.
	hour := time.Hour
	for _, c := range []struct {
		start, end time.Duration // from now
		refused    string
	}{
		{-2 * hour, -hour, "valid only until"},
		{hour, 2 * hour, "valid only from"},
	} {
		s.write(filepath.Join(s.home, "windows.json"), string(window(t, trusted(), old.Sigstore.RekorV2URL, time.Now().Add(c.start), time.Now().Add(c.end))))
		r := s.enclave(1, append(signers, "--trusted-root", "windows.json", "--explain", before)...)
		for _, name := range s.modules {
			m := s.status(r, name, "invalid")
			s.says(m.Reason, c.refused)
		}
	}
}

// window is a trusted root in which the keys of Rekor v1 are valid from start to end, and that does not name the log at a URL.
func window(t *testing.T, trustedRoot []byte, without string, start, end time.Time) []byte {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(trustedRoot, &root); err != nil {
		t.Fatal(err)
	}
	var logs []any
	for _, l := range root["tlogs"].([]any) {
		if l.(object)["baseUrl"] == without {
			continue
		}
		l.(object)["publicKey"].(object)["validFor"] = object{"start": start.UTC().Format(time.RFC3339), "end": end.UTC().Format(time.RFC3339)}
		logs = append(logs, l)
	}
	if len(logs) != 2 {
		t.Fatalf("%d shards of Rekor v1 in %s", len(logs), trustedRoot)
	}
	root["tlogs"] = logs
	return encode(root)
}
