package bundles_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/merkle"
)

// Property: consistency proofs come out as they went in, and verify. Without any
// there is no file.
func TestEarlier(t *testing.T) {
	p := since(1, 3, 8, 9)
	payload := write(t, p)
	b, err := open(framed(t, payload))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Logs[0].Earlier) != 0 || len(b.Logs[1].Earlier) != 4 {
		t.Fatalf("%d and %d proofs", len(b.Logs[0].Earlier), len(b.Logs[1].Earlier))
	}
	root, err := b.Logs[1].Proof.Root(b.Logs[1].LeafHashes())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []uint64{3, 9} { // of the others it does not tell the root
		c, ok := b.Logs[1].From(size)
		if !ok || c.Size != size {
			t.Fatalf("no proof from %d", size)
		}
		if _, err := merkle.ConsistentRoot(size, merkle.Tree{Size: 10, Root: root}, c.Hashes()); err != nil {
			t.Error(err)
		}
	}
	if _, ok := b.Logs[1].From(2); ok {
		t.Error("a proof that is not there was found")
	}
	for _, f := range unpack(t, write(t, since())) {
		if strings.Contains(f.name, "consistency") {
			t.Errorf("there is a file %s", f.name)
		}
	}
	var again bytes.Buffer
	if err := bundles.WritePayload(&again, &bundles.Payload{Manifest: b.Manifest, Logs: b.Logs}); err != nil || !bytes.Equal(again.Bytes(), payload) {
		t.Errorf("written again as something else: %v", err)
	}
}

// Property: a proof of the wrong shape, in the wrong order or in another encoding
// is refused, by reader and writer.
func TestLiesAboutEarlier(t *testing.T) {
	good := string(at(t, unpack(t, write(t, since(3, 7))), "logs/1/consistency.jsonl").data)
	lines := strings.SplitAfter(good, "\n")
	for name, lie := range map[string][2]string{
		"empty":             {"", "without a proof the file is not there"},
		"twice":             {lines[0] + lines[0], "not sorted, or one is there twice"},
		"order":             {lines[1] + lines[0], "not sorted, or one is there twice"},
		"size 0":            {strings.Replace(good, `"size":3`, `"size":0`, 1), "the tree is empty"},
		"the log's size":    {strings.Replace(good, `"size":7`, `"size":10`, 1), "to one of 10"},
		"a later size":      {strings.Replace(good, `"size":7`, `"size":11`, 1), "wrong order"},
		"above all":         {strings.Replace(good, `"size":7`, fmt.Sprintf(`"size":%d`, uint64(merkle.MaxSize)+1), 1), "above the limit"},
		"a hash less":       {strings.Replace(good, `"proof":["`, `"proof":[],"x":["`, 1), "encoding"},
		"no hashes":         {`{"size":3,"proof":[]}` + "\n", "0 hashes"},
		"null":              {`{"size":3,"proof":null}` + "\n", "0 hashes"},
		"a short hash":      {strings.Replace(good, `"proof":["`, `"proof":["AAAA","`, 1), "hashes"},
		"white space":       {" " + good, "encoding"},
		"no newline":        {strings.TrimSuffix(good, "\n"), "encoding"},
		"an empty line":     {good + "\n", "line 3"},
		"duplicate member":  {strings.Replace(good, `{"size":3`, `{"size":3,"size":3`, 1), "encoding"},
		"a member too many": {strings.Replace(good, `{"size":3`, `{"root":"","size":3`, 1), "encoding"},
	} {
		files := unpack(t, write(t, since(3, 7)))
		at(t, files, "logs/1/consistency.jsonl").data = []byte(lie[0])
		b, err := open(repacked(t, relisted(t, files)))
		wantDamaged(t, name, b, err)
		if err == nil || !strings.Contains(err.Error(), lie[1]) {
			t.Errorf("%s: %v, want %q", name, err, lie[1])
		}
	}
	short := since(3)
	short.Logs[1].Earlier[0].Proof[0] = make([]byte, 31)
	long := since(3)
	long.Logs[1].Earlier[0].Proof = append(long.Logs[1].Earlier[0].Proof, make([]byte, 32))
	for _, p := range []*bundles.Payload{since(7, 3), since(3, 3), short, long} {
		if err := bundles.WritePayload(&bytes.Buffer{}, p); err == nil {
			t.Errorf("written: %+v", p.Logs[1].Earlier)
		}
	}
}

// Property: the limits on proofs let pass what is as many, and as long.
func TestEarlierAtTheLimits(t *testing.T) {
	p := since(1, 3, 7)
	payload := write(t, p)
	size := int64(len(at(t, unpack(t, payload), "logs/1/consistency.jsonl").data))
	atLimits(t, p, map[string]int64{"earlier": 3, "earlierAll": size})
}
