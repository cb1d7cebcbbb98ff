package verify_test

import (
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// Property: heads of one log are told to be of one tree, to be a fork, or to be
// neither; only those that a trusted key signed count.
func TestCompareForeign(t *testing.T) {
	w := newWorld(t)
	db, shard := w.db, w.rekor.Shard()
	fork := testlog.NewSumDB(db.Name)
	for i := range 20 {
		db.AddRecord(w.mods[0].Version, []byte{byte(i), '\n'})
		w.rekor.Add([]byte{byte(i)})
		leaf := []byte{byte(i), '\n'}
		if i == 3 {
			leaf = []byte("other\n")
		}
		fork.AddRecord(w.mods[0].Version, leaf)
	}
	head := func(from string, db *testlog.SumDB, size uint64, earlier ...uint64) verify.ForeignHead {
		h := verify.ForeignHead{From: from, Checkpoint: db.Checkpoint(size)}
		for _, e := range earlier {
			h.Earlier = append(h.Earlier, bundles.NewConsistency(e, db.Consistency(e, size)))
		}
		return h
	}
	lying := head("b", db, 9, 5)
	lying.Earlier[0].Proof[0][0] ^= 1
	stranger := head("c", testlog.NewSumDB("stranger.example"), 0)
	forged := head("c", db, 9)
	forged.Checkpoint[30] ^= 1
	type want struct {
		forks, unproven, files int
		proven                 bool
	}
	for name, x := range map[string]struct {
		heads []verify.ForeignHead
		want
	}{
		"same tree":                   {[]verify.ForeignHead{head("a", db, 9), head("b", db, 9)}, want{0, 0, 2, true}},
		"proven":                      {[]verify.ForeignHead{head("a", db, 5), head("b", db, 9, 5)}, want{0, 0, 2, true}},
		"proven, larger first":        {[]verify.ForeignHead{head("b", db, 9, 5), head("a", db, 5)}, want{0, 0, 2, true}},
		"proven by a third":           {[]verify.ForeignHead{head("a", db, 5), head("b", db, 9), head("c", db, 9, 5)}, want{0, 0, 3, true}},
		"proven by way of another":    {[]verify.ForeignHead{head("a", db, 5), head("b", db, 9, 5), head("c", db, 20, 9)}, want{0, 0, 3, true}},
		"an empty tree":               {[]verify.ForeignHead{head("a", db, 0), head("b", db, 9)}, want{0, 0, 2, true}},
		"no proof":                    {[]verify.ForeignHead{head("a", db, 5), head("b", db, 9)}, want{0, 1, 2, false}},
		"a proof from another":        {[]verify.ForeignHead{head("a", db, 5), head("b", db, 9, 6)}, want{0, 1, 2, false}},
		"a proof that proves nothing": {[]verify.ForeignHead{head("a", db, 5), lying}, want{0, 1, 2, false}},
		"a gap in the way":            {[]verify.ForeignHead{head("a", db, 5), head("b", db, 9, 5), head("c", db, 20)}, want{0, 1, 3, false}},
		"a gap at the beginning":      {[]verify.ForeignHead{head("a", db, 5), head("b", db, 9), head("c", db, 20, 9)}, want{0, 1, 3, false}},
		"a fork at one size":          {[]verify.ForeignHead{head("a", db, 9), head("b", fork, 9)}, want{1, 1, 2, false}},
		"a fork, proven":              {[]verify.ForeignHead{head("a", db, 5), head("b", fork, 9, 5)}, want{1, 1, 2, false}},
		"a fork that does not show":   {[]verify.ForeignHead{head("a", db, 4), head("b", fork, 9, 4)}, want{0, 1, 2, false}},
		"before the fork":             {[]verify.ForeignHead{head("a", db, 3), head("b", fork, 9, 3)}, want{0, 0, 2, true}},
		"one file alone":              {[]verify.ForeignHead{head("a", db, 5), head("a", db, 9)}, want{0, 0, 1, true}},
		"a fork in one file":          {[]verify.ForeignHead{head("a", db, 9), head("a", fork, 9)}, want{1, 0, 1, false}},
		"a head by nobody trusted":    {[]verify.ForeignHead{head("a", db, 9), head("b", db, 9), stranger}, want{0, 0, 2, false}},
		"a head that is changed":      {[]verify.ForeignHead{head("a", db, 9), head("b", db, 9), forged}, want{0, 0, 2, false}},
	} {
		c := verify.CompareForeign(x.heads, w.request.Trust)
		if len(c.Logs) != 1 {
			t.Fatalf("%s: %+v", name, c)
		}
		l := c.Logs[0]
		got := want{len(l.Forks), len(l.Unproven), l.Files, c.Proven()}
		if got != x.want || c.Forked() != (got.forks > 0) || l.Name != db.Name {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
	two := verify.CompareForeign([]verify.ForeignHead{head("a", db, 9), {From: "a", Checkpoint: shard.Checkpoint(7)}, {From: "b", Checkpoint: shard.Checkpoint(7)}}, w.request.Trust)
	if len(two.Logs) != 2 || two.Logs[0].Kind != "rekor-v1" || two.Logs[0].Files != 2 || two.Logs[1].Files != 1 || !two.Proven() {
		t.Errorf("%+v", two)
	}
	if c := verify.CompareForeign(nil, w.request.Trust); c.Proven() || c.Forked() {
		t.Error("nothing is proven of nothing")
	}
	lie := shard.SignNote(shard.CheckpointText(merkle.Tree{Size: 7, Root: merkle.Hash{1}}))
	c := verify.CompareForeign([]verify.ForeignHead{{From: "a", Checkpoint: lie}, {From: "b", Checkpoint: shard.Checkpoint(7)}}, w.request.Trust)
	if !c.Forked() || !strings.Contains(c.Logs[0].Forks[0].What, "two trees of 7 leaves") {
		t.Errorf("%+v", c)
	}
	if c := verify.CompareForeign([]verify.ForeignHead{{From: "a", Checkpoint: lie}, {From: "b", Checkpoint: shard.Checkpoint(7)}}, &verify.Material{}); c.Forked() || c.Proven() || len(c.Untrusted) != 2 {
		t.Errorf("trusting nobody: %+v", c)
	}
}
