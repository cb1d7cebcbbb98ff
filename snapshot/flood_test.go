package snapshot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// others logs entries of n strangers over a digest.
func (w *world) others(n int, digest [32]byte) {
	for i := range n {
		w.rekor.Add(testlog.NewSigner(fmt.Sprintf("stranger %d", i)).Body(digest))
	}
}

// kept counts the entries that the bundle has over a digest.
func (w *world) kept(digest [32]byte) int {
	n := 0
	for _, l := range w.bundle().Logs {
		for _, e := range l.Entries {
			if strings.Contains(e.Leaf, fmt.Sprintf(`"%x"`, digest)) {
				n++
			}
		}
	}
	return n
}

// leftOut is what the summary says of a module, and the manifest.
func (w *world) leftOut(s *snapshot.Summary, path string) (out []snapshot.LeftOut, manifest int) {
	for _, l := range s.LeftOut {
		if strings.HasPrefix(l.Subject, path+"@") {
			out = append(out, l)
		}
	}
	for _, m := range w.bundle().Manifest.Modules {
		if m.Path == path {
			manifest = m.LeftOut
		}
	}
	return out, manifest
}

// Property: of signers that nobody named a few entries are kept, the oldest, and
// what is left out is counted.
func TestOthers(t *testing.T) {
	for _, c := range []struct{ others, keep, want int }{{0, 0, 0}, {0, 3, 0}, {5, 0, 0}, {5, 3, 3}, {5, 5, 5}, {5, 6, 5}, {199, 3, 3}} {
		w := newWorld(t)
		digest := w.mod(plain).h1()
		w.others(c.others, digest)
		w.request.Others = c.keep
		s := w.take()
		left, manifest := w.leftOut(s, plain)
		missing := c.others - c.want
		if got := w.kept(digest); got != c.want+1 || manifest != missing || (missing > 0) != (len(left) == 1) {
			t.Errorf("%d others, keep %d: %d kept, %d left out: %v", c.others, c.keep, got, manifest, left)
		}
		if len(left) == 1 && (left[0].Count != missing || !strings.Contains(left[0].Why, "whom nobody named") || strings.Contains(left[0].Why, "even more")) {
			t.Errorf("%d others, keep %d: %v", c.others, c.keep, left)
		}
		if r := w.enclave(); !r.OK {
			t.Errorf("enclave: counts %v", r.Counts)
		}
	}
}

// Property: a flood over a digest neither fills the bundle nor hides the entry of
// the signer that was named, though it came last of all.
func TestFlood(t *testing.T) {
	const flood = 250 // more than are looked at one by one
	ca := testlog.NewCA("fulcio")
	const bob, issuer = "bob@example.com", "https://accounts.example.com"
	for _, c := range []struct {
		name   string
		signer *testlog.Signer
		policy func(s *testlog.Signer) policy.Signer
	}{
		{"key", testlog.NewSigner("bob"), func(s *testlog.Signer) policy.Signer { return policy.KeySigner(private(t, s).Public()) }},
		{"identity", ca.Issue(bob, issuer, testlog.Epoch()), func(*testlog.Signer) policy.Signer {
			return identity(t, policy.Identity{Subject: bob, Issuer: issuer})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.request.Trust.Sigstore = append(w.request.Trust.Sigstore, &authority{certificate: ca.Certificate})
			digest := w.mod(plain).h1()
			w.others(flood, digest)
			w.rekor.Add(c.signer.Body(digest))
			w.request.Others = 2
			w.flags.Signers = append(w.flags.Signers, c.policy(c.signer))
			s := w.take()
			// alice's and bob's, and two others of which one is the first of the flood
			left, manifest := w.leftOut(s, plain)
			if got := w.kept(digest); got != 4 || manifest != flood-2 || len(left) != 1 || left[0].Count != flood-2 {
				t.Errorf("%d kept, %d left out: %v", got, manifest, left)
			}
			if asked := counted(w.rekor.Requests())["/api/v1/log/entries/retrieve"]; asked != 21 { // 200 and bob's, and 5 over the other digests
				t.Errorf("%d requests for entries, want 21", asked)
			}
			w.flags.Signers = w.flags.Signers[1:] // bob alone
			w.flags.Require = policy.RequireAny
			e := evidenceBy(w.enclave(), plain, w.flags.Signers[0].Name)
			if e == nil || !e.Accepted {
				t.Errorf("bob's entry: %+v", e)
			}
		})
	}
}

func evidenceBy(r *verify.Report, path, signer string) *verify.EvidenceReport {
	for _, m := range r.Modules {
		for i, e := range m.Evidence {
			if m.Path == path && e.Signer == signer {
				return &m.Evidence[i]
			}
		}
	}
	return nil
}

// Property: where the index can't be asked for a signer's entries, more entries
// than are looked at make the snapshot fail, and say why.
func TestFloodAndExpression(t *testing.T) {
	w := newWorld(t)
	w.flags.Signers = append(w.flags.Signers, identity(t, policy.Identity{SubjectRegexp: "bob@.*", Issuer: "https://accounts.example.com"}))
	w.others(199, w.mod(plain).h1())
	w.take() // 200 with alice's: all are looked at
	w = newWorld(t)
	w.flags.Signers = append(w.flags.Signers, identity(t, policy.Identity{SubjectRegexp: "bob@.*", Issuer: "https://accounts.example.com"}))
	w.others(200, w.mod(plain).h1())
	e := incomplete(t, w.fail(), false, plain)
	if !strings.Contains(e.Error(), "more than 200 entries") || !strings.Contains(e.Error(), "name the signer exactly") {
		t.Error(e)
	}
}

// Property: entries that use a named identity without the authority's word, which
// anybody can log, count as others: they do not fill the bundle.
func TestFloodInSomebodysName(t *testing.T) {
	const bob, issuer = "bob@example.com", "https://accounts.example.com"
	ca, forger := testlog.NewCA("fulcio"), testlog.NewCA("forger")
	w := newWorld(t)
	w.request.Trust.Sigstore = append(w.request.Trust.Sigstore, &authority{certificate: ca.Certificate})
	w.flags.Signers = append(w.flags.Signers, identity(t, policy.Identity{Subject: bob, Issuer: issuer}))
	digest := w.mod(plain).h1()
	forged := forger.Issue(bob, issuer, testlog.Epoch())
	for i := range 20 {
		body := forged.Body(digest)
		w.rekor.Add(append(body[:len(body)-1:len(body)-1], fmt.Sprintf(`,"x":%d}`, i)...)) // not canonical
		if i == 7 {
			w.rekor.Add(body)
		}
	}
	w.rekor.Add(ca.Issue(bob, issuer, testlog.Epoch()).Body(digest))
	s := w.take()
	left, manifest := w.leftOut(s, plain)
	if got := w.kept(digest); got != 2 || manifest != 21 || len(left) != 2 {
		t.Errorf("%d kept, %d left out: %v", got, manifest, left)
	}
}

// Property: what is retrieved for a named signer has a limit, beyond which the
// snapshot fails for that module, and says who and what to do.
func TestFloodOverTheLimit(t *testing.T) {
	const bob = "bob@example.com"
	w := newWorld(t)
	w.flags.Signers = append(w.flags.Signers, identity(t, policy.Identity{Subject: bob, Issuer: "https://accounts.example.com"}))
	digest := w.mod(plain).h1()
	body := testlog.NewCA("forger").Issue(bob, "https://accounts.example.com", testlog.Epoch()).Body(digest)
	for i := range 2001 {
		w.rekor.Add(append(body[:len(body)-1:len(body)-1], fmt.Sprintf(`,"x":%d}`, i)...))
	}
	e := incomplete(t, w.fail(), false, plain)
	if !strings.Contains(e.Error(), "more than 2000 entries are logged over it in the name of ") || !strings.Contains(e.Error(), bob) || !strings.Contains(e.Hint, "--allow-missing") {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
	if got := w.retrievals(); got != 1 {
		t.Errorf("%d calls for entries, want 1 for those over other digests", got)
	}
}

// Property: entries of kinds that are not carried are left out and counted, and
// the index can't make an entry over another digest count for this one.
func TestOtherKinds(t *testing.T) {
	w := newWorld(t)
	digest := w.mod(plain).h1()
	body := w.alice.Body(digest)
	dsse := w.rekor.Add([]byte(strings.Replace(string(body), `"kind":"hashedrekord"`, `"kind":"dsse"`, 1)))
	other := w.rekor.Add(w.alice.Body([32]byte{1}))
	w.rekor.AddToIndex(digest, dsse.UUID)
	w.rekor.AddToIndex(digest, other.UUID)
	s := w.take()
	left, manifest := w.leftOut(s, plain)
	if got := w.kept(digest); got != 1 || manifest != 2 || len(left) != 2 || left[0].Count != 1 || left[1].Count != 1 ||
		!strings.Contains(left[0].Why, "kinds") || !strings.Contains(left[1].Why, "over another digest") {
		t.Errorf("%d kept, %d left out: %v", got, manifest, left)
	}
	if w.kept([32]byte{1}) != 0 || !w.enclave().OK {
		t.Error("the entry over another digest was kept")
	}
}
