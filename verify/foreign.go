package verify

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/merkle"
)

// ForeignHead is a signed head that somebody has, to be compared with those of
// others.
type ForeignHead struct {
	From       string // whose it is, for people
	Checkpoint []byte
	Earlier    []bundles.Consistency // proofs from earlier trees to its own
	Err        error                 // why it was not compared

	tree merkle.Tree
}

// Comparison is what comes of comparing heads.
type Comparison struct {
	Logs      []ComparedLog // by kind, name and log ID
	Untrusted []ForeignHead // that no trusted key signed
}

// ComparedLog is what comes of comparing the heads of one log.
type ComparedLog struct {
	Kind, Name, LogID string
	Files             int // different ForeignHead.From
	Trees             int // different trees
	// Forks are pairs of trees of which neither begins with the other; Unproven
	// pairs of which nothing tells.
	Forks, Unproven []ComparedPair

	heads []ForeignHead
}

// ComparedPair are two heads, the smaller tree first.
type ComparedPair struct {
	What string
	A, B ForeignHead
}

// Forked tells whether any log is known to have forked.
func (c *Comparison) Forked() bool {
	return slices.ContainsFunc(c.Logs, func(l ComparedLog) bool { return len(l.Forks) > 0 })
}

// Proven tells whether there is a log to compare, every head counts, and all of
// each log are proven to be of one tree.
func (c *Comparison) Proven() bool {
	return len(c.Logs) > 0 && len(c.Untrusted) == 0 && !c.Forked() && !slices.ContainsFunc(c.Logs, func(l ComparedLog) bool { return len(l.Unproven) > 0 })
}

// CompareForeign compares all heads of each log with each other. Only those that
// a trusted key signed count.
func CompareForeign(all []ForeignHead, m *Material) *Comparison {
	out := &Comparison{}
	logs := map[bundles.LogKey]*ComparedLog{}
	for _, h := range all {
		opened, err := m.Open(h.Checkpoint)
		if err != nil {
			h.Err = err
			out.Untrusted = append(out.Untrusted, h)
			continue
		}
		key := bundles.LogKey{Kind: bundles.Kind(opened.Kind), Name: opened.Name, ID: opened.LogID}
		if logs[key] == nil {
			logs[key] = &ComparedLog{Kind: opened.Kind, Name: opened.Name, LogID: opened.LogID}
		}
		h.tree = opened.Tree
		logs[key].heads = append(logs[key].heads, h)
	}
	for _, l := range logs {
		l.compare()
		out.Logs = append(out.Logs, *l)
	}
	slices.SortFunc(out.Logs, func(a, b ComparedLog) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.LogID, b.LogID))
	})
	return out
}

// compare goes through the trees by size: each must be proven to be the beginning
// of the next, or of a later one whose heads are of one tree with it.
func (l *ComparedLog) compare() {
	slices.SortStableFunc(l.heads, func(a, b ForeignHead) int { return cmp.Compare(a.tree.Size, b.tree.Size) })
	files := map[string]bool{}
	var trees []ForeignHead // one of each tree, with all proofs to it
	for _, h := range l.heads {
		files[h.From] = true
		if i := slices.IndexFunc(trees, func(t ForeignHead) bool { return t.tree == h.tree }); i >= 0 {
			trees[i].Earlier = append(slices.Clip(trees[i].Earlier), h.Earlier...)
			continue
		}
		trees = append(trees, h)
	}
	l.Files, l.Trees = len(files), len(trees)
	proven := make([]bool, len(trees)) // to be the beginning of a later tree
	for j := range trees {
		for i := range j {
			switch what, ok := relate(&trees[i], &trees[j]); {
			case what != "":
				l.Forks = append(l.Forks, ComparedPair{what, trees[i], trees[j]})
			case ok:
				proven[i] = true
			}
		}
	}
	if l.Files < 2 {
		return // nobody to differ from
	}
	// A tree that is the beginning of a later one is, with that, the beginning of the last.
	for i := range trees {
		if i+1 < len(trees) && !proven[i] {
			last := trees[len(trees)-1]
			l.Unproven = append(l.Unproven, ComparedPair{fmt.Sprintf("nothing proves that its tree of %d leaves (%s) begins with the one of %d (%s)",
				last.tree.Size, last.From, trees[i].tree.Size, trees[i].From), trees[i], last})
		}
	}
}

// relate tells how two trees fork, the first not being larger, or whether the
// second is proven to begin with the first.
func relate(a, b *ForeignHead) (fork string, proven bool) {
	if a.tree.Size == b.tree.Size {
		return fmt.Sprintf("it signed two trees of %d leaves, with root %x and root %x", a.tree.Size, a.tree.Root, b.tree.Root), false
	}
	if a.tree.Size == 0 { // any tree begins with it
		return "", true
	}
	for i := range b.Earlier {
		proof := &b.Earlier[i]
		if proof.Size != a.tree.Size {
			continue
		}
		if merkle.VerifyConsistency(a.tree, b.tree, proof.Hashes()) == nil {
			return "", true
		}
		root, err := merkle.ConsistentRoot(a.tree.Size, b.tree, proof.Hashes())
		if err == nil {
			return fmt.Sprintf("its tree of %d leaves is proven to begin with one of %d that has root %x, and it signed one with root %x", b.tree.Size, a.tree.Size, root, a.tree.Root), false
		}
	}
	return "", false
}
