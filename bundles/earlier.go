package bundles

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"github.com/modseal/modseal/merkle"
)

// Consistency proves that the tree of a log's checkpoint begins with the tree
// that had Size leaves (RFC 9162, Section 2.1.4.1). Which root that had is not
// for a bundle to say: who asks has seen it.
type Consistency struct {
	Size  uint64   `json:"size"`  // of the earlier tree: 1 to below the log's
	Proof [][]byte `json:"proof"` // hashes, of merkle.HashSize bytes each
}

// NewConsistency is a proof from an earlier tree of this size.
func NewConsistency(size uint64, proof []merkle.Hash) Consistency {
	c := Consistency{Size: size, Proof: make([][]byte, len(proof))}
	for i := range proof {
		c.Proof[i] = proof[i][:]
	}
	return c
}

// Hashes are those of the proof, which is that of a log of an opened bundle or
// made by NewConsistency.
func (c *Consistency) Hashes() []merkle.Hash {
	out := make([]merkle.Hash, len(c.Proof))
	for i, h := range c.Proof {
		copy(out[i][:], h)
	}
	return out
}

// From finds the proof from the earlier tree of this size.
func (l *Log) From(size uint64) (*Consistency, bool) {
	for i := range l.Earlier {
		if l.Earlier[i].Size == size {
			return &l.Earlier[i], true
		}
	}
	return nil, false
}

// checkEarlier demands that the proofs are in order, and of the shape that their
// sizes have.
func (l *Log) checkEarlier() error {
	if !strictlySorted(l.Earlier, func(a, b Consistency) int { return cmp.Compare(a.Size, b.Size) }) {
		return fmt.Errorf("%w: log %.60q: consistency proofs are not sorted, or one is there twice", ErrDamaged, l.Name)
	}
	for _, c := range l.Earlier {
		n, err := merkle.NumConsistency(c.Size, l.Size)
		if err == nil && (c.Size == l.Size || len(c.Proof) != n) {
			err = fmt.Errorf("%d hashes", len(c.Proof))
		}
		for _, h := range c.Proof {
			if err == nil && len(h) != merkle.HashSize {
				err = fmt.Errorf("a hash of %d bytes", len(h))
			}
		}
		if err != nil {
			return fmt.Errorf("%w: log %.60q: consistency proof from a tree of %d to one of %d: %w", ErrDamaged, l.Name, c.Size, l.Size, err)
		}
	}
	return nil
}

func (l *Log) encodeEarlier(lim limits) ([]byte, error) {
	if err := over("consistency proofs", int64(len(l.Earlier)), int64(lim.earlier), "of one log"); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, c := range l.Earlier {
		line, err := encodeJSON(c, "")
		if err != nil {
			return nil, err
		}
		b.Write(line)
	}
	return b.Bytes(), nil
}

// decodeEarlier reads consistency.jsonl.
func decodeEarlier(r io.Reader, lim limits) ([]Consistency, error) {
	var all []Consistency
	lines := newLineReader(r, "consistency proof", lim.earlierAll)
	for {
		line, err := lines.next()
		if err == io.EOF && len(all) > 0 {
			return all, nil
		}
		if err == io.EOF {
			return nil, fmt.Errorf("%w: without a proof the file is not there", ErrDamaged)
		}
		if err == nil {
			err = over("consistency proofs", int64(len(all)+1), int64(lim.earlier), "of one log")
		}
		if err == nil {
			err = over("consistency proof", int64(values(line)), merkle.MaxConsistency+1, "values") // hashes, and the size
		}
		var c Consistency
		if err == nil {
			err = json.Unmarshal(line, &c)
		}
		if err == nil {
			err = checkEncoding(c, "", line)
		}
		if err != nil {
			return nil, damaged(fmt.Errorf("line %d: %w", len(all)+1, err))
		}
		all = append(all, c)
	}
}
