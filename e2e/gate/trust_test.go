package gate

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/modseal/modseal/e2e/keyless"
	"github.com/modseal/modseal/e2e/stack"
	"github.com/modseal/modseal/e2e/tufrepo"
)

// tuf serves the trusted root of all servers from a TUF repository, whose first root is in root.json.
func (s *site) tuf() *tufrepo.Repository {
	s.Helper()
	repo, err := tufrepo.New(map[string][]byte{stack.TrustedRootName: s.read(shared.rekor.Sigstore.TrustedRootPath)})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(repo.Close)
	s.write(filepath.Join(s.home, "root.json"), string(repo.FirstRoot()))
	return repo
}

// fetchTrust runs trust fetch.
func (s *site) fetchTrust(want int, repo *tufrepo.Repository, dir string) result {
	s.Helper()
	return s.run(want, "trust", "fetch", "-o", dir, "--tuf-mirror", repo.URL, "--tuf-root", "root.json")
}

// chain writes what trust fetch would have fetched, if it has expired since: the newest metadata in the given version.
func (s *site) chain(repo *tufrepo.Repository, version int, dir string) {
	s.Helper()
	trusted := s.read(shared.rekor.Sigstore.TrustedRootPath)
	names := []string{
		"timestamp.json", fmt.Sprintf("%d.snapshot.json", version), fmt.Sprintf("%d.targets.json", version),
		fmt.Sprintf("targets/%x.%s", sha256.Sum256(trusted), stack.TrustedRootName),
	}
	for n := int64(2); n <= repo.RootVersion(); n++ {
		names = append(names, fmt.Sprintf("%d.root.json", n))
	}
	for _, name := range names {
		data := repo.File(name)
		if data == nil {
			s.Fatalf("the repository has no %s", name)
		}
		s.write(filepath.Join(s.home, dir, name), string(data))
	}
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// What servers are trusted is had from a TUF repository, carried in the bundle, and walked where there is no network from the
// first root, however often keys were rotated since. A rotation that is withheld is found out; another repository leads nowhere.
func TestTUF(t *testing.T) {
	t.Parallel()
	const module = "github.com/google/uuid@v1.2.0"
	s := newSite(t, module)
	s.logKey = ""
	repo := s.tuf()
	s.publish(keyless.Request{Artifact: s.zipOf(module), Email: alice, V1: true, V2: true})
	s.says(s.fetchTrust(0, repo, "trust").stdout, "trust: root 1 (root.json)")
	for _, role := range []string{tufrepo.Root, tufrepo.Timestamp, tufrepo.Targets, tufrepo.Root} {
		s.must(repo.Rotate(role))
	}
	s.says(s.fetchTrust(0, repo, "trust").stdout, "trust: root 1 -> 5 (root.json)")
	s.alone(0, "trust", "check", "trust", "--tuf-root", "root.json")
	s.says(s.alone(0, "trust", "show", "trust", "--tuf-root", "root.json").stdout, shared.rekor.URL, shared.rekor.Sigstore.RekorV2URL, shared.rekor.Sigstore.FulcioURL)

	policy := s.require("{signed-by: alice, logs: 2}")
	pinned := []string{"--tuf-root", "root.json"}
	carried := slices.Concat(policy, pinned, []string{"--trust", "trust", "--attestations", published})
	s.snapshot(0, carried...)
	r := s.enclave(0, append(policy, pinned...)...)
	s.allVerified(r)
	if r.Trust == nil || r.Trust.PinnedVersion != 1 || r.Trust.RootVersion != 5 || !r.Trust.Moved || r.Trust.Chain != "bundle" || r.Trust.Given || len(r.Notes) != 0 {
		t.Errorf("trust is reported as %+v, with the notes %q", r.Trust, r.Notes)
	}
	if r := s.enclave(0, slices.Concat(policy, pinned, []string{"--trust", "trust"})...); r.Trust == nil || r.Trust.Chain != "enclave" {
		t.Errorf("with the enclave's own chain trust is reported as %+v", r.Trust)
	}
	if r := s.enclave(0, append(policy, trusting()...)...); r.Trust != nil {
		t.Errorf("without a chain trust is reported as %+v", r.Trust)
	}
	s.status(s.enclave(1, append(policy, "--rekor-public-key", shared.rekor.PublicKeyPath)...), module, "invalid", "certificate")

	refused := func(why string, flags ...string) {
		t.Helper()
		args := s.verifyArgs(append(policy, flags...)...)
		if said := s.alone(3, args...); said.stdout != "" {
			t.Errorf("there is a report:\n%s", said.stdout)
		} else {
			s.says(said.stderr, "the bundle's trust chain is refused", why)
		}
	}
	refused("of another repository") // from the public instance's root
	refused("expired", append(pinned, "--at", time.Now().AddDate(2, 0, 0).UTC().Format(time.DateOnly))...)
	s.write(filepath.Join(s.home, "other.json"), string(newRoot(t)))
	refused("too few of the keys", "--tuf-root", "other.json")

	// The host withholds a rotation that later metadata needs; then one that nothing else tells of.
	withheld := repo.File("3.root.json")
	repo.SetFile("3.root.json", nil)
	s.says(s.fetchTrust(1, repo, "withheld").stderr, "timestamp.json", "too few of the keys", "nothing was written")
	if _, err := os.Stat(filepath.Join(s.home, "withheld")); !os.IsNotExist(err) {
		t.Errorf("a folder was written: %v", err)
	}
	s.fetchTrust(0, repo, "trust") // what was had once is not lost
	repo.SetFile("3.root.json", withheld)
	s.must(os.Remove(filepath.Join(s.home, "trust", "3.root.json")))
	s.says(s.alone(1, "trust", "check", "trust", "--tuf-root", "root.json").stderr, "3.root.json", "it is missing between", "withheld")
	s.says(s.run(2, s.snapshotArgs(carried...)...).stderr, "3.root.json", "it is missing between")
	repo.SetFile("5.root.json", nil)
	s.says(s.fetchTrust(0, repo, "older").stdout, "older: root 1 -> 4 (root.json)") // so the version is said
}

// newRoot is of a repository that nobody uses.
func newRoot(t *testing.T) []byte {
	t.Helper()
	repo, err := tufrepo.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	return repo.FirstRoot()
}

// A bundle that was archived is verified after its chain has expired, as of the time when it was made, and as of no later one. One
// that states an earlier time than its evidence is said to.
func TestArchived(t *testing.T) {
	t.Parallel()
	const module = "github.com/mitchellh/go-homedir@v1.1.0"
	s := newSite(t, module)
	s.logKey = ""
	repo := s.tuf()
	s.publish(keyless.Request{Artifact: s.zipOf(module), Email: alice, V1: true, V2: true})
	now := time.Now()
	s.must(repo.SetExpiry(tufrepo.Timestamp, now.Add(-10*time.Minute)))
	s.says(s.fetchTrust(1, repo, "trust").stderr, "timestamp.json: it expired")
	s.chain(repo, 2, "trust")
	policy := s.require("{signed-by: alice, logs: 2}")
	pinned := []string{"--tuf-root", "root.json"}
	take := slices.Concat(policy, pinned, []string{"--trust", "trust", "--attestations", published})
	s.says(s.snapshot(2, take...).stderr, "timestamp.json: it expired")
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }

	for _, c := range []struct {
		made time.Time
		note bool
	}{{now.Add(-30 * time.Minute), false}, {now.Add(-3 * time.Hour), true}} {
		s := s.again(t)
		s.logKey = ""
		s.setenv("SOURCE_DATE_EPOCH", strconv.FormatInt(c.made.Unix(), 10))
		s.snapshot(0, take...)
		r := s.enclave(0, append(policy, pinned...)...)
		s.allVerified(r)
		if r.Trust == nil || r.Trust.At != stamp(c.made) || r.Trust.Given || r.Trust.Chain != "bundle" {
			t.Errorf("trust is reported as %+v, want it as of %s", r.Trust, stamp(c.made))
		}
		if (len(r.Notes) == 1) != c.note {
			t.Errorf("made at %s, the report has the notes %q", c.made, r.Notes)
		}
		then := stamp(now.Add(-15 * time.Minute))
		if r := s.enclave(0, slices.Concat(policy, pinned, []string{"--at", then})...); r.Trust == nil || r.Trust.At != then || !r.Trust.Given || len(r.Notes) != 0 {
			t.Errorf("at %s trust is reported as %+v, with the notes %q", then, r.Trust, r.Notes)
		}
		said := s.alone(3, s.verifyArgs(slices.Concat(policy, pinned, []string{"--at", stamp(now)})...)...)
		s.says(said.stderr, "the bundle's trust chain is refused", "timestamp.json: it expired", "as of "+stamp(now))
	}
}
