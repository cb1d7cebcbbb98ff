package tufchain_test

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/modseal/modseal/internal/testtuf"
	"github.com/modseal/modseal/internal/tufchain"
)

// asked is a repository that remembers what it was asked for.
type asked struct {
	files map[string][]byte
	names []string
}

func (a *asked) File(_ context.Context, name string, max int64) ([]byte, error) {
	a.names = append(a.names, name)
	data, ok := a.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return data, nil
}

func follow(pinned []byte, files map[string][]byte, held tufchain.Files) (tufchain.Files, *asked, error) {
	from := &asked{files: files}
	_, chain, err := tufchain.Follow(context.Background(), tufchain.FollowRequest{Pinned: pinned, Source: from, At: now(), Held: held})
	return chain, from, err
}

// Property: following a repository gives the chain, and nothing else is asked
// for; a second time the roots that are held are not asked for again.
func TestFollow(t *testing.T) {
	for _, consistent := range []bool{true, false} {
		r := rotated(consistent)
		chain, from, err := follow(r.RootFile(1), r.Files, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(chain, r.Chain(1), slices.Equal) {
			t.Errorf("followed %q, want %q", chain.Names(), tufchain.Files(r.Chain(1)).Names())
		}
		if len(from.names) != len(chain)+1 || from.names[2] != "4.root.json" {
			t.Errorf("asked for %q", from.names)
		}
		last := roles()
		last.Root, last.Timestamp, last.Snapshot = []string{"d", "e"}, "online2", "online2"
		r.Rotate(last, "a", "b", "d", "e")
		r.Publish(testtuf.State{Target: []byte("trusted root 2")})
		second, from, err := follow(r.RootFile(1), r.Files, chain)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(second, r.Chain(1), slices.Equal) || from.names[0] != "4.root.json" {
			t.Errorf("the second time asked for %q, got %q", from.names, second.Names())
		}
		// from a later pinned root, those before it are kept
		if third, _, err := follow(r.RootFile(4), r.Files, second); err != nil || !maps.EqualFunc(third, second, slices.Equal) {
			t.Errorf("from root 4: %q, %v", third.Names(), err)
		}
	}
}

// Property: who has seen a state does not go back to one before it, also when
// what it holds has expired; unless the key was rotated, which is how a
// repository recovers from a version that was too high.
func TestFollowRollback(t *testing.T) {
	r := rotated(true)
	old := r.Clone()
	r.Publish(testtuf.State{Target: []byte("trusted root 2"), Timestamp: day("2026-05-30"), Snapshot: day("2026-05-30")})
	held := tufchain.Files(r.Chain(1)) // expired by now
	_, _, err := follow(r.RootFile(1), old.Files, held)
	wantKind(t, err, tufchain.Rollback, "timestamp.json", "older than what was fetched before")

	// the timestamp goes on, the snapshot goes back
	mixed := old.Clone()
	mixed.Publish(testtuf.State{Target: []byte("x")})
	forward := mixed.Clone()
	forward.Publish(testtuf.State{Target: []byte("y")})
	held = forward.Chain(1)
	lie := mixed.Clone()
	lie.Publish(testtuf.State{Target: []byte("y")})
	lie.Publish(testtuf.State{Target: []byte("z")})
	lie.Files["4.snapshot.json"] = mixed.Files["2.snapshot.json"]
	_, _, err = follow(r.RootFile(1), lie.Files, held)
	wantKind(t, err, tufchain.Rollback, "4.snapshot.json")

	// the same state again is no rollback
	if _, _, err := follow(r.RootFile(1), forward.Files, held); err != nil {
		t.Error(err)
	}
	rotation := roles()
	rotation.Root, rotation.Timestamp, rotation.Snapshot = []string{"a", "b", "d"}, "online3", "online3"
	mixed.Rotate(rotation, "a", "b", "d")
	mixed.Publish(testtuf.State{Target: []byte("recovered")})
	if _, _, err := follow(r.RootFile(1), mixed.Files, held); err != nil {
		t.Error(err)
	}
}

// Property: a mirror's lies are refused while following, as they are in a walk.
func TestFollowLies(t *testing.T) {
	r := rotated(true)
	files := maps.Clone(r.Files)
	files["4.root.json"] = unrelated().RootFile(2)
	_, _, err := follow(r.RootFile(1), files, nil)
	wantKind(t, err, tufchain.Unsigned, "4.root.json")
	files = maps.Clone(r.Files)
	delete(files, "2.root.json")
	_, _, err = follow(r.RootFile(1), files, nil)
	wantKind(t, err, tufchain.Expired, "version 1")
	_, _, err = follow(unrelated().RootFile(1), r.Files, r.Chain(1))
	wantKind(t, err, tufchain.Unsigned, "2.root.json")
}
