package snapshot_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/seal"
	"github.com/modseal/modseal/internal/sumdb"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// Property: whatever a server gets over at any one request, the bundle is the same
// bytes as without it.
func TestFaultsThatPass(t *testing.T) {
	s := rehearse(t, everything(t))
	s.each(t, passing(), anyKind, func(t *testing.T, bad *trouble, r run) {
		r.mustBe(t, s.want.file)
		if waits := bad.name == "too many requests" && r.took.Seconds() < 45 || bad.name == "held" && r.took.Seconds() < 45; waits {
			t.Errorf("it took %v", r.took) // of the bubble's time
		}
	})
}

// Property: a server that does not get over it at any one request makes the
// snapshot fail with an error that names what was asked and what came of it, and
// leaves nothing but what it has fetched. Where the tiles of a Rekor v2 can't be had,
// its entries are proven as they were published, and that is said.
func TestFaultsThatLast(t *testing.T) {
	s := rehearse(t, everything(t))
	s.each(t, lasting(), anyKind, func(t *testing.T, bad *trouble, r run) {
		came := map[string]string{"cut in the middle for ever": "unexpected EOF", "unavailable": "503 Service Unavailable", "held for ever": "no whole answer within 1m0s"}[bad.name]
		if strings.HasPrefix(bad.of.kind, hostV2) {
			s.mustBeAsPublished(t, bad, r, came)
			return
		}
		var asked *fetch.Error
		if r.err == nil || !errors.As(r.err, &asked) || !strings.Contains(r.err.Error(), came) || !strings.Contains(r.err.Error(), bad.url()) {
			t.Errorf("%v; want %q and %q in it", r.err, came, bad.url())
		}
		s.names(t, bad, r.err)
		s.unproven(t, r.err, false)
	})
}

// Property: an answer that looks right and is not, at any one request, is found
// out: the bundle is the same bytes as without it, or there is none, and an error
// names the log or the modules. Nothing of it stays in the cache. The index of a
// Rekor alone is nobody's word: what it does not name can't be found, and what it
// should not have named is left out and counted.
func TestLyingAnswers(t *testing.T) {
	s := rehearse(t, everything(t))
	s.each(t, lying(), anyKind, s.judgeLie)
}

// Property: so it is where a cache holds older heads of logs that have grown, to
// which new answers must be consistent.
func TestLyingAnswersBesideACache(t *testing.T) {
	s := rehearse(t, grown(t))
	s.each(t, lying(), func(kind string) bool {
		return strings.HasPrefix(kind, s.db.Name) || strings.HasSuffix(kind, retrieve) || strings.HasSuffix(kind, "/log")
	}, s.judgeLie)
}

func anyKind(string) bool { return true }

// url is that of the request.
func (t *trouble) url() string {
	f := strings.Fields(t.of.key)
	return "http://" + f[0] + f[2]
}

func (s *play) judgeLie(t *testing.T, bad *trouble, r run) {
	switch {
	case r.err != nil:
		s.names(t, bad, r.err)
		if tile := (*sumdb.TileError)(nil); bad.of.kind == s.db.Name+"/tile" && !errors.As(r.err, &tile) {
			t.Errorf("%T %v", r.err, r.err)
		}
	case bytes.Equal(r.file, s.want.file):
		r.mustBe(t, s.want.file)
	case strings.HasSuffix(bad.of.kind, search) && bad.name == "the answer to another":
		s.mustSayLess(t, r)
	default:
		t.Errorf("the bundle is %d bytes and another than the %d of an undisturbed run", len(r.file), len(s.want.file))
	}
}

// names demands that an error names what was asked for, in words for its kind.
func (s *play) names(t *testing.T, bad *trouble, err error) {
	t.Helper()
	words := map[string]string{
		s.db.Name + "/latest": "checksum database sum.example.org", s.db.Name + "/lookup": "checksum database",
		s.db.Name + "/tile":      "checksum database sum.example.org",
		"rekor.example/log":      "^Rekor http://rekor.example can't be used|^rekor: shard \"rekor.example|^modules lack evidence.*(\n.*)*in a shard",
		"rekor.example" + search: "^the search of Rekor failed|^modules lack evidence", "rekor.example/log" + retrieve: "^the search of Rekor failed|^attestations that do not verify",
		"rekor.example" + proof: "^rekor: shard \"rekor.example - ", hostV2 + "/x/checkpoint": "^rekor: shard \"" + hostV2, hostV2 + "/x/tile": "^rekor: shard \"" + hostV2,
	}[bad.of.kind]
	if words == "" || !regexp.MustCompile(words).MatchString(err.Error()) {
		t.Errorf("%s: %v; want %q in it", bad.of.kind, err, words)
	}
	if strings.HasSuffix(bad.of.kind, "/lookup") { // the module by its name, or the record
		module := strings.ReplaceAll(strings.TrimPrefix(strings.Fields(bad.of.key)[2], "/lookup/"), "!u", "U")
		if !strings.Contains(err.Error(), module) && !strings.Contains(err.Error(), "a record is not in the tree") {
			t.Errorf("%v does not name %s", err, module)
		}
	}
}

// unproven demands that an error says, or does not, that all was asked and the
// modules are not proven: the exit code hangs on it.
func (s *play) unproven(t *testing.T, err error, want bool) {
	t.Helper()
	var incomplete *snapshot.IncompleteError
	var published *snapshot.PublishedError
	if errors.As(err, &incomplete) && incomplete.Unproven != want || errors.As(err, &published) && published.Unproven != want {
		t.Errorf("unproven is %t: %v", !want, err)
	}
}

// mustBeAsPublished demands the bundle that there is without the tiles of Rekor
// v2, and that it is said; or the same as ever if they are elsewhere too.
func (s *play) mustBeAsPublished(t *testing.T, bad *trouble, r run, came string) {
	t.Helper()
	if strings.HasSuffix(bad.of.kind, "/checkpoint") { // the trusted root has another URL
		r.mustBe(t, s.want.file)
		return
	}
	r.mustBe(t, s.noTiles)
	if u := r.summary.Unread; len(u) != 1 || u[0].Log != hostV2 || !strings.Contains(u[0].Err.Error(), came) || !strings.Contains(u[0].Err.Error(), bad.url()) {
		t.Errorf("unread: %v", u)
	}
}

// mustSayLess demands of a bundle with fewer entries that it says so of the
// modules that it leaves some out of, and that an enclave verifies all that it
// has.
func (s *play) mustSayLess(t *testing.T, r run) {
	t.Helper()
	left := 0
	for _, l := range r.summary.LeftOut {
		if !strings.Contains(l.Why, "over another digest") {
			t.Errorf("left out: %+v", l)
		}
		left += l.Count
	}
	b, err := bundles.Open(bytes.NewReader(r.file), int64(len(r.file)), bundles.OpenOptions{InsecureIgnoreSeals: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range b.Manifest.Modules {
		left -= m.LeftOut
	}
	for _, m := range s.judged(t, r.file).Modules {
		if m.Status != verify.Verified {
			t.Errorf("%s: %s: %s", m.Path, m.Status, m.Reason)
		}
	}
	if len(r.summary.LeftOut) == 0 || left != 0 {
		t.Errorf("left out: %+v; the manifest has %d less", r.summary.LeftOut, left)
	}
}

// judged verifies a bundle as the enclave does.
func (s *play) judged(t *testing.T, file []byte) *verify.Report {
	t.Helper()
	report, err := verify.Check(t.Context(), verify.Request{
		Dir: s.project(), World: s.request.World, Bundle: bytes.NewReader(file), BundleSize: int64(len(file)), Trust: s.request.Trust,
		Policy: policy.FromFlags(s.flags), Seals: seal.By(private(t, testlog.NewSigner("sealer")).Public()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}
