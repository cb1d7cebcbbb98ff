package gate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// What a signer attested is verified by that signer's entries, one over the zip and one over the listing. Attesting again
// changes nothing.
func TestAttested(t *testing.T) {
	// Not parallel: it counts the entries of the log.
	s := newSite(t,
		"rsc.io/quote@v1.5.2", "rsc.io/sampler@v1.3.0", "golang.org/x/text@v0.0.0-20170915032832-14c0d48ead0c",
		"golang.org/x/mod@v0.37.0", "github.com/BurntSushi/toml@v1.6.0", "github.com/blang/semver@v3.5.1+incompatible")
	s.setenv("GOSUMDB", "sum.golang.org")
	empty := s.logSize()
	s.says(s.attest("signer").stdout, "6 modules attested", "12 new entries", "0 were there")
	full := s.logSize()
	if full != empty+12 {
		t.Errorf("the log grew from %d to %d, want by 12", empty, full)
	}
	for _, m := range s.modules {
		s.sigstoreBundle(m, "zip", s.zipDigest(m))
		s.sigstoreBundle(m, "listing", s.h1(m))
	}

	said := s.snapshot(0, signedBy("signer")...)
	s.says(said.stdout, "6 modules, 6 proven; sealed", "rekor-v1", "12 entries", "sumdb", "6 entries")
	s.checkAttested(s.verify(0, signedBy("signer")...))
	s.allVerified(s.verify(0, "--require", "all", "--key", "signer.pub"))
	s.allVerified(s.verify(0, "--require", "sumdb"))

	s.says(s.attest("signer").stdout, "0 new entries", "12 were there")
	if again := s.logSize(); again != full {
		t.Errorf("attesting again made the log grow from %d to %d", full, again)
	}
}

// checkAttested demands that all modules have all the evidence that there can be.
func (s *site) checkAttested(r *report) {
	s.Helper()
	s.allVerified(r)
	for _, name := range s.modules {
		m := s.module(r, name)
		if got := m.accepted(); got != "listing zip" { // a record is not asked for
			s.Errorf("%s: accepted is evidence over %q", name, got)
		}
		for _, e := range m.Evidence {
			if e.Of != "record" && (!strings.Contains(e.Signer, s.fingerprint("signer")) || e.Time == "") {
				s.Errorf("%s: entry %d is by %q, at %q", name, e.Index, e.Signer, e.Time)
			}
		}
	}
	if len(r.Policy.Signers) != 1 || !strings.Contains(r.Policy.Signers[0], s.fingerprint("signer")) || len(r.Bundle.SealedBy) != 1 || r.Bundle.File != "deps.modseal" {
		s.Errorf("policy and bundle are reported as %q, %q", r.Policy.Signers, r.Bundle)
	}
	for _, l := range r.Logs {
		if !l.Proven || l.Entries == 0 {
			s.Errorf("log %q is reported as %+v", l.Name, l)
		}
	}
}

// sigstoreBundle demands that attest left a Sigstore bundle over a digest, with its entry in the log.
func (s *site) sigstoreBundle(module, of string, digest [32]byte) {
	s.Helper()
	var b struct {
		MediaType            string
		VerificationMaterial struct {
			PublicKey   struct{ Hint string }
			TlogEntries []struct {
				CanonicalizedBody, LogIndex string
				InclusionProof              struct{ TreeSize string }
			}
		}
		MessageSignature struct {
			MessageDigest struct{ Algorithm, Digest string }
			Signature     string
		}
	}
	name := fmt.Sprintf("%s.%s.sigstore.json", filepath.FromSlash(escape(module)), of)
	if err := json.Unmarshal(s.read(filepath.Join(s.home, "attestations", name)), &b); err != nil {
		s.Fatal(err)
	}
	if b.MediaType != "application/vnd.dev.sigstore.bundle.v0.3+json" {
		s.Errorf("%s: media type %q", name, b.MediaType)
	}
	d := b.MessageSignature.MessageDigest
	if want := base64.StdEncoding.EncodeToString(digest[:]); d.Algorithm != "SHA2_256" || d.Digest != want {
		s.Errorf("%s: it is over %s %s, want %s", name, d.Algorithm, d.Digest, want)
	}
	if e := b.VerificationMaterial.TlogEntries; len(e) != 1 || e[0].CanonicalizedBody == "" || e[0].InclusionProof.TreeSize == "" {
		s.Errorf("%s: log entries %+v", name, e)
	}
	if b.VerificationMaterial.PublicKey.Hint == "" || b.MessageSignature.Signature == "" {
		s.Errorf("%s: no key hint, or no signature", name)
	}
}

// A module that nobody attested keeps a snapshot that needs attestations from being taken, unless it is asked for. Its
// checksum-database record, if there is one, is not what the gate then demands.
func TestNobodyAttested(t *testing.T) {
	t.Parallel()
	const attested, missing = "golang.org/x/sync@v0.10.0", "golang.org/x/xerrors@v0.0.0-20240903120638-7835f813f4da"
	base := newSite(t, attested, missing)
	base.attest("signer", attested)

	for _, c := range []struct{ sumdb, status, reason string }{
		{"sum.golang.org", "not-allowed", "it has a checksum-database record; the policy requires a trusted signer's entry in Rekor"},
		{"off", "not-logged", "the bundle has no evidence for it"},
	} {
		t.Run("GOSUMDB="+c.sumdb, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			s.setenv("GOSUMDB", c.sumdb)
			refused := s.snapshot(1, signedBy("signer")...)
			s.says(refused.stderr, "modules lack evidence; nothing was written", missing+": "+c.status, c.reason, "--allow-missing", "attest")
			if refused.stdout != "" {
				t.Errorf("a refused snapshot says %q", refused.stdout)
			}

			sealed := s.snapshot(0, append(signedBy("signer"), "--allow-missing")...)
			s.says(sealed.stderr, missing+": sealed without all evidence", c.status)
			s.says(sealed.stdout, "2 modules, 1 proven")
			r := s.verify(1, signedBy("signer")...)
			s.status(r, attested, "verified")
			s.status(r, missing, c.status, c.reason)
		})
	}
}

// An entry by a key that the policy does not name does not count, and the report says whose it is. The bundle has it all
// the same, so that another policy can accept it.
func TestOtherSigner(t *testing.T) {
	t.Parallel()
	const module = "rsc.io/qr@v0.2.0"
	s := newSite(t, module)
	s.attest("other")

	refused := s.snapshot(1, signedBy("signer")...)
	s.says(refused.stderr, module, "not-allowed", "signed by ", s.fingerprint("other"), "the policy does not name")

	s.snapshot(0, append(signedBy("signer"), "--allow-missing")...)
	m := s.status(s.verify(1, signedBy("signer")...), module, "not-allowed", "signed by ", s.fingerprint("other"), "the policy does not name")
	if len(m.Evidence) != 2 || m.accepted() != "" {
		t.Errorf("evidence %+v, want two entries that don't count", m.Evidence)
	}
	for _, e := range m.Evidence {
		if !strings.Contains(e.Signer, s.fingerprint("other")) || e.Why == "" {
			t.Errorf("entry %d is by %q and does not count because %q", e.Index, e.Signer, e.Why)
		}
	}
	s.allVerified(s.verify(0, signedBy("signer", "other")...))
	s.allVerified(s.verify(0, signedBy("other")...))

	s = s.again(t)
	s.snapshot(0, signedBy("signer", "other")...)
	s.allVerified(s.verify(0, signedBy("signer", "other")...))
}

// A Rekor whose key is not trusted proves nothing, whoever signed. It is not even asked, nor told of anything.
func TestOtherRekor(t *testing.T) {
	t.Parallel()
	const module = "github.com/google/uuid@v1.5.0"
	s := newSite(t, module)
	p := s.proxy(nil)
	trusted := s.logKey
	s.logKey = "other.pub"
	unheard := func(r result) {
		t.Helper()
		s.says(r.stderr, "Rekor "+s.rekor+" can't be used", "no trusted key signed the checkpoint", "hint: ", "--rekor-public-key")
		for path, n := range p.Counts() {
			if path != logPath {
				t.Errorf("%d requests for %s", n, path)
			}
		}
	}
	unheard(s.run(2, s.attestArgs("signer")...))
	unheard(s.snapshot(2, append(signedBy("signer"), "--allow-missing")...))

	s.logKey = trusted
	s.attest("signer")
	s.snapshot(0, signedBy("signer")...)
	s.logKey = "other.pub"
	r := s.verify(1, signedBy("signer")...)
	m := s.status(r, module, "not-allowed", "not trusted here")
	if m.accepted() != "" || len(r.Logs) != 1 || r.Logs[0].Proven || r.Logs[0].Problem == "" {
		t.Errorf("an untrusted log is reported as %+v, the module as %+v", r.Logs, m)
	}
}
