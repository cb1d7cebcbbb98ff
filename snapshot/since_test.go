package snapshot_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/snapshot"
)

// seen takes a snapshot, lets all logs grow, and asks for proofs from then on.
func seen(t *testing.T, more int) *world {
	w := newWorld(t)
	w.take()
	for _, l := range w.bundle().Logs {
		w.request.Since = append(w.request.Since, snapshot.Head{File: "old.modseal", Checkpoint: l.Checkpoint})
	}
	for range more {
		w.noise()
	}
	return w
}

// Property: the bundle carries a proof from each head that was seen to its own,
// made for exactly that tree; none where nothing has grown.
func TestSince(t *testing.T) {
	for _, more := range []int{0, 1, 300} {
		w := seen(t, more)
		sizes := map[bundles.Kind]uint64{}
		for _, l := range w.bundle().Logs {
			sizes[l.Kind] = l.Size
		}
		twice := w.request.Since
		w.request.Since = append(twice, twice...)
		s := w.take()
		if len(s.NotSince) > 0 || s.Since != map[bool]int{true: 2}[more > 0] {
			t.Errorf("%d more: %d proofs, %v", more, s.Since, s.NotSince)
		}
		for _, l := range w.bundle().Logs {
			tree := &w.db.Tree
			if l.Kind != bundles.SumDB {
				tree = &w.rekor.Shard().Tree
			}
			if l.Size != sizes[l.Kind]+uint64(more) {
				t.Errorf("%d more: size %d", more, l.Size)
			}
			if more == 0 {
				if len(l.Earlier) > 0 {
					t.Errorf("%+v", l.Earlier)
				}
				continue
			}
			proof, ok := l.From(sizes[l.Kind])
			if !ok || len(l.Earlier) != 1 || !slices.Equal(proof.Hashes(), tree.Consistency(sizes[l.Kind], l.Size)) {
				t.Errorf("%d more: %s: %+v", more, l.Kind, l.Earlier)
			}
			if err := merkle.VerifyConsistency(tree.Head(sizes[l.Kind]), tree.Head(l.Size), proof.Hashes()); err != nil {
				t.Error(err)
			}
		}
	}
}

// Property: a log that does not extend what was seen of it ends the snapshot, with
// both heads; nothing is written.
func TestSinceLies(t *testing.T) {
	for name, lie := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"rewritten database":   {func(w *world) { w.db.Rewrite(0, []byte("another\n")) }, "begins with one of "},
		"rewritten Rekor":      {func(w *world) { w.rekor.Shard().Rewrite(0, []byte("another")) }, "rekor.example - "},
		"rolled back database": {func(w *world) { w.db.Truncate(w.db.Size() - 6) }, "it was rolled back"},
		"rewritten at its end": {func(w *world) {
			w.db.Truncate(w.db.Size() - 5)
			w.db.Rewrite(w.db.Size()-1, []byte("another\n"))
		}, "it signed two trees of "},
		"Rekor's bad proof": {func(w *world) {
			w.rekor.Edit.Set(func(r *http.Request, a *testlog.Answer) {
				if strings.HasSuffix(r.URL.Path, "/log/proof") {
					a.Body = []byte(strings.Replace(string(a.Body), `"hashes":["`, `"hashes":["00`, 1))
				}
			})
		}, "consistency proof"},
		"heads that differ already": {func(w *world) {
			text := w.rekor.Shard().CheckpointText(merkle.Tree{Size: w.rekor.Shard().Size() - 5, Root: merkle.Hash{1}})
			w.request.Since = append(w.request.Since, snapshot.Head{File: "other.state", Checkpoint: w.rekor.Shard().SignNote(text)})
		}, "both are in what was given with --since"},
	} {
		w := seen(t, 5)
		if err := os.Remove(w.request.Output); err != nil {
			t.Fatal(err)
		}
		lie.do(w)
		err := w.fail()
		var since *snapshot.SinceError
		if name == "Rekor's bad proof" {
			if errors.As(err, &since) || !strings.Contains(err.Error(), lie.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.As(err, &since) || !strings.Contains(err.Error(), lie.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, note := range [][]byte{since.Old.Checkpoint, since.New} {
			line, _, _ := strings.Cut(string(note[strings.Index(string(note), "— "):]), "\n")
			if !strings.Contains(err.Error(), line) {
				t.Errorf("%s: no %s in %v", name, line, err)
			}
		}
	}
}

// Property: a head that no trusted key signed accuses nobody. It is told of, and
// the snapshot goes on.
func TestSinceUnsigned(t *testing.T) {
	w := seen(t, 5)
	stranger := testlog.NewRekor("stranger.example")
	stranger.Add([]byte("x"))
	lie := testlog.NewRekor("rekor.example2").Shard().SignNote(w.rekor.Shard().CheckpointText(merkle.Tree{Size: 3}))
	forged := slices.Clone(w.request.Since[0].Checkpoint)
	forged[len(forged)-5] ^= 1
	for _, note := range [][]byte{stranger.Shard().Checkpoint(1), lie, forged, nil, []byte("x")} {
		w.request.Since = append(w.request.Since, snapshot.Head{File: "lie", Checkpoint: note})
	}
	s := w.take()
	if len(s.NotSince) != 5 || s.Since != 2 || s.NotSince[0].Where != "lie" {
		t.Errorf("%d proofs, %v", s.Since, s.NotSince)
	}
}

// Property: of a Rekor v2 the proofs are made from its tiles; where these can't
// be read, what can't be proven is told of.
func TestSinceV2(t *testing.T) {
	old := func(p *publisher, size uint64) {
		p.request.Since = []snapshot.Head{{File: "old", Checkpoint: p.v2.Log.Checkpoint(size)}}
	}
	for _, size := range []uint64{1, 3, 4, 6, 300} {
		p := tiled(t, 300)
		p.request.RekorTiles, p.request.Fetch = []string{p.tilesURL + "/x/"}, client(nil)
		old(p, size)
		s := p.take()
		l := p.bundle().Logs[0]
		if proof, ok := l.From(size); s.Since != 1 || !ok || !slices.Equal(proof.Hashes(), p.v2.Log.Consistency(size, l.Size)) {
			t.Errorf("%d: %+v", size, l.Earlier)
		}
	}
	p := tiled(t, 300)
	old(p, 3)
	if s := p.take(); s.Since != 0 || len(s.NotSince) != 1 || !strings.Contains(s.NotSince[0].Err.Error(), "can't be asked") {
		t.Errorf("%+v", s.NotSince)
	}
	old(p, p.bundle().Logs[0].Size) // the publisher's head, which is what the bundle shows
	if s := p.take(); s.Since != 0 || len(s.NotSince) != 0 {
		t.Errorf("%+v", s.NotSince)
	}
	for name, tiles := range map[string][]string{"from tiles": {"x"}, "as published": nil} {
		p := tiled(t, 300)
		size := uint64(6)
		if tiles != nil {
			p.request.RekorTiles, p.request.Fetch = []string{p.tilesURL + "/x/"}, client(nil)
			size = 200
		} else {
			p.take()
			size = p.bundle().Logs[0].Size
			if err := os.Remove(p.request.Output); err != nil {
				t.Fatal(err)
			}
		}
		lie := p.v2.Log.SignNote(testlog.CheckpointText(p.v2.Log.Host, merkle.Tree{Size: size, Root: merkle.Hash{7}}))
		p.request.Since = []snapshot.Head{{File: "old", Checkpoint: lie}}
		var since *snapshot.SinceError
		if _, err := snapshot.Take(context.Background(), p.asked()); !errors.As(err, &since) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
