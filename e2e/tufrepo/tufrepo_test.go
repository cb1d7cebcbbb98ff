package tufrepo_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/modseal/modseal/e2e/tufrepo"
)

const target = "trusted_root.json"

func start(t *testing.T, content string) *tufrepo.Repository {
	t.Helper()
	repo, err := tufrepo.New(map[string][]byte{target: []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(repo.Close)
	return repo
}

// fetch gets the target as Sigstore's client does that knows nothing but a root.
func fetch(repo *tufrepo.Repository, root []byte) (string, error) {
	client, err := tuf.New(tuf.DefaultOptions().WithRoot(root).WithRepositoryBaseURL(repo.URL).WithDisableLocalCache())
	if err != nil {
		return "", err
	}
	data, err := client.GetTarget(target)
	return string(data), err
}

func wantTarget(t *testing.T, repo *tufrepo.Repository, root []byte, want string) {
	t.Helper()
	if got, err := fetch(repo, root); err != nil || got != want {
		t.Errorf("target is %q, %v, want %q", got, err, want)
	}
}

// A client that starts from the first root follows every role's rotation, and sees what is published after it.
func TestRotate(t *testing.T) {
	repo := start(t, "one")
	first := repo.FirstRoot()
	wantTarget(t, repo, first, "one")
	for _, role := range []string{tufrepo.Root, tufrepo.Targets, tufrepo.Snapshot, tufrepo.Timestamp, tufrepo.Root} {
		if err := repo.Rotate(role); err != nil {
			t.Fatal(role, err)
		}
		wantTarget(t, repo, first, "one")
	}
	if err := repo.Publish(map[string][]byte{target: []byte("two")}); err != nil {
		t.Fatal(err)
	}
	wantTarget(t, repo, first, "two")
	if v := repo.RootVersion(); v != 6 {
		t.Errorf("root version is %d, want 6", v)
	}
	if !bytes.Equal(first, repo.FirstRoot()) {
		t.Error("the first root has changed")
	}
}

// What a client refuses: a rotation with a gap, another repository's root, an expired role, changed metadata.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*testing.T, *tufrepo.Repository) (root []byte)
		want  string
	}{
		{"withheld rotation of the timestamp's key", func(t *testing.T, r *tufrepo.Repository) []byte {
			if err := r.Rotate(tufrepo.Timestamp); err != nil {
				t.Fatal(err)
			}
			r.SetFile("2.root.json", nil)
			return r.FirstRoot()
		}, "Verifying timestamp failed"},
		{"root of another repository", func(t *testing.T, _ *tufrepo.Repository) []byte {
			return start(t, "x").FirstRoot()
		}, "Verifying timestamp failed"},
		{"changed timestamp", func(_ *testing.T, r *tufrepo.Repository) []byte {
			r.SetFile("timestamp.json", bytes.Replace(r.File("timestamp.json"), []byte(`"version": 1`), []byte(`"version": 9`), 1))
			return r.FirstRoot()
		}, "Verifying timestamp failed"},
		{"expired root", expired(tufrepo.Root), "expired"},
		{"expired targets", expired(tufrepo.Targets), "expired"},
		{"expired snapshot", expired(tufrepo.Snapshot), "expired"},
		{"expired timestamp", expired(tufrepo.Timestamp), "expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := start(t, "one")
			root := test.spoil(t, repo)
			if got, err := fetch(repo, root); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("target is %q, %v, want an error with %q", got, err, test.want)
			}
		})
	}
}

func expired(role string) func(*testing.T, *tufrepo.Repository) []byte {
	return func(t *testing.T, r *tufrepo.Repository) []byte {
		if err := r.SetExpiry(role, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		return r.FirstRoot()
	}
}
