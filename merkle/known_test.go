package merkle_test

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modseal/modseal/merkle"
)

// known is the content of testdata/sum.golang.org.txt.
type known struct {
	heads       map[uint64]merkle.Tree                   // by size
	leaves      map[uint64]merkle.Hash                   // by ID
	inclusion   map[merkle.Tree]map[uint64][]merkle.Hash // by tree and ID
	consistency map[[2]merkle.Tree][]merkle.Hash         // by trees
}

// Proofs of a real log verify, can be rebased to its later tree and merged there,
// and the multiproof gives back what the log's tiles give.
func TestRealLog(t *testing.T) {
	log := readKnown(t)
	if len(log.heads) != 2 || len(log.leaves) != 3 || len(log.consistency) != 1 {
		t.Fatal("testdata is not what this test is for")
	}
	for trees, consistency := range log.consistency {
		from, to := trees[0], trees[1]
		if err := merkle.VerifyConsistency(from, to, consistency); err != nil {
			t.Error(err)
		}
		var proofs []merkle.Inclusion
		for id, path := range log.inclusion[from] {
			p := merkle.Inclusion{Index: id, Leaf: log.leaves[id], Tree: from, Path: path}
			rebased, err := merkle.Rebase(p, to, consistency)
			if err != nil || !slices.Equal(rebased.Path, log.inclusion[to][id]) {
				t.Errorf("record %d: not rebased to the log's proof: %v", id, err)
			}
			proofs = append(proofs, rebased)
		}
		for id, path := range log.inclusion[to] {
			if id >= from.Size {
				proofs = append(proofs, merkle.Inclusion{Index: id, Leaf: log.leaves[id], Tree: to, Path: path})
			}
		}
		checkMerged(t, log, to, proofs)
	}
}

func checkMerged(t *testing.T, log known, head merkle.Tree, proofs []merkle.Inclusion) {
	t.Helper()
	m, err := merkle.MergeProofs(head, proofs)
	if err != nil {
		t.Fatal(err)
	}
	if ids := slices.Sorted(maps.Keys(log.leaves)); !slices.Equal(m.Indexes, ids) {
		t.Fatalf("multiproof of records %d, want %d", m.Indexes, ids)
	}
	var leaves []merkle.Hash
	for _, id := range m.Indexes {
		leaves = append(leaves, log.leaves[id])
	}
	proven, err := m.Expand(head, leaves)
	if err != nil {
		t.Fatal(err)
	}
	for id, path := range log.inclusion[head] {
		p, err := proven.Inclusion(id)
		if err != nil || !slices.Equal(p.Path, path) {
			t.Errorf("record %d: not expanded to the log's proof: %v", id, err)
		}
	}
}

func readKnown(t *testing.T) known {
	t.Helper()
	file, err := os.Open("testdata/sum.golang.org.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log := known{map[uint64]merkle.Tree{}, map[uint64]merkle.Hash{}, map[merkle.Tree]map[uint64][]merkle.Hash{}, map[[2]merkle.Tree][]merkle.Hash{}}
	add := func(merkle.Hash) { t.Error("hash outside a proof") }
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		kind, rest, _ := strings.Cut(line, " ")
		var a, b uint64
		var text string
		switch kind {
		case "", "#":
		case "head":
			fmt.Sscan(rest, &a, &text)
			root, _ := base64.StdEncoding.DecodeString(text)
			log.heads[a] = merkle.Tree{Size: a, Root: merkle.Hash(root)}
			log.inclusion[log.heads[a]] = map[uint64][]merkle.Hash{}
		case "record":
			fmt.Sscanf(rest, "%d %q", &a, &text)
			log.leaves[a] = merkle.LeafHash([]byte(text))
		case "inclusion":
			fmt.Sscan(rest, &a, &b)
			paths := log.inclusion[log.heads[a]]
			add = func(h merkle.Hash) { paths[b] = append(paths[b], h) }
		case "consistency":
			fmt.Sscan(rest, &a, &b)
			trees := [2]merkle.Tree{log.heads[a], log.heads[b]}
			add = func(h merkle.Hash) { log.consistency[trees] = append(log.consistency[trees], h) }
		default:
			h, err := hex.DecodeString(line)
			if err != nil || len(h) != merkle.HashSize {
				t.Fatalf("bad line %q", line)
			}
			add(merkle.Hash(h))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return log
}
