package trust

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/note"
	sumnote "golang.org/x/mod/sumdb/note"

	"github.com/modseal/modseal/internal/testlog"
)

const cosignedAt = 1767225600 // seconds since 1970

func witness(t testing.TB, w *testlog.Witness) Witness {
	t.Helper()
	out, err := ParseWitness(w.Name, w.VKey())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Property: those witnesses are named whose cosignature is on this very
// checkpoint, and no others: not who cosigned another one, whose line was
// forged, changed or moved to another name, or who signed as if it was a log.
func TestCosigned(t *testing.T) {
	r, m := shardV2(t, "rekor2.example", "https://rekor2.example")
	a, b, c := testlog.NewWitness("a.example"), testlog.NewWitness("b.example"), testlog.NewWitness("c.example")
	text, before := testlog.CheckpointText(r.Host, r.Head(10)), testlog.CheckpointText(r.Host, r.Head(9))
	own := string(r.SignNote(text))
	good := a.Cosignature(text, cosignedAt)
	renamed := strings.Replace(c.Cosignature(text, cosignedAt), "c.example", "a.example", 1)
	flipped := strings.Replace(good, good[len(good)-10:], "AAAAAAAAA\n", 1)
	notALog := testlog.NewRekorV2("a.example")
	policy := []Witness{witness(t, a), witness(t, b)}
	for name, x := range map[string]struct{ lines, want string }{
		"nobody":                             {"", "[]"},
		"one":                                {good, "[a.example]"},
		"the other":                          {b.Cosignature(text, cosignedAt), "[b.example]"},
		"both":                               {good + b.Cosignature(text, cosignedAt), "[a.example b.example]"},
		"both, in another order":             {b.Cosignature(text, cosignedAt) + good, "[a.example b.example]"},
		"one twice":                          {good + good, "[a.example]"},
		"one at two times":                   {good + a.Cosignature(text, cosignedAt+1), "[a.example]"},
		"a stranger":                         {c.Cosignature(text, cosignedAt), "[]"},
		"a stranger and one":                 {c.Cosignature(text, cosignedAt) + good, "[a.example]"},
		"a stranger in a witness's name":     {renamed, "[]"},
		"of the checkpoint before":           {a.Cosignature(before, cosignedAt), "[]"},
		"of the checkpoint before, and this": {a.Cosignature(before, cosignedAt) + good, "[]"}, // the first line of a key decides
		"changed":                            {flipped, "[]"},
		"as a log would sign":                {string(notALog.SignNote(text))[len(text)+1:], "[]"},
	} {
		got := cosigned([]byte(own+x.lines), policy)
		if fmt.Sprint(got) != x.want {
			t.Errorf("%s: %v, want %s", name, got, x.want)
		}
		if _, err := m.OpenRekorV2(r.LogID(), []byte(own+x.lines)); err != nil {
			t.Errorf("%s: the log's own: %v", name, err)
		}
	}
	if got := cosigned([]byte(own+good), nil); got != nil {
		t.Errorf("a policy without witnesses: %v", got)
	}
	for _, junk := range []string{"", "junk", own[:20], strings.Repeat("\n", 100)} {
		if got := cosigned([]byte(junk), policy); got != nil {
			t.Errorf("%q: %v", junk, got)
		}
	}
	// the log's own signature is not looked at: opening the checkpoint is another step
	if got := cosigned([]byte(text+"\n"+good), policy); fmt.Sprint(got) != "[a.example]" {
		t.Errorf("without the log's: %v", got)
	}
}

// Property: a key under two names of the policy is told under both. That it is
// one witness, the policy says: it refuses two names for one key.
func TestCosignedByOneKeyOfTwoNames(t *testing.T) {
	a := testlog.NewWitness("a.example")
	one, two := witness(t, a), witness(t, a)
	two.Name = "again"
	r, _ := shardV2(t, "rekor2.example", "https://rekor2.example")
	text := testlog.CheckpointText(r.Host, r.Head(10))
	if got := cosigned([]byte(string(r.SignNote(text))+a.Cosignature(text, cosignedAt)), []Witness{one, two}); !slices.Equal(got, []string{"a.example", "again"}) {
		t.Errorf("%v", got)
	}
}

// Property: a witness may have an ML-DSA-44 key. Its cosignature is made here by
// the library that verifies it.
func TestCosignedByMLDSA(t *testing.T) {
	skey, vkey, err := note.GenerateMLDSAKey("pq.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewMLDSASigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ParseWitness("pq", vkey)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := shardV2(t, "rekor2.example", "https://rekor2.example")
	sign := func(size uint64) string {
		file, err := sumnote.Sign(&sumnote.Note{Text: testlog.CheckpointText(r.Host, r.Head(size))}, signer)
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(file), "\n\n")
		return line
	}
	text := testlog.CheckpointText(r.Host, r.Head(10))
	for size, want := range map[uint64]string{10: "[pq]", 9: "[]"} {
		if got := cosigned([]byte(string(r.SignNote(text))+sign(size)), []Witness{w}); fmt.Sprint(got) != want {
			t.Errorf("a cosignature at %d: %v, want %s", size, got, want)
		}
	}
}

// Property: a witness's key is an Ed25519 or ML-DSA-44 key in the form of
// signed-note. That the hash in it is right, the policy checks.
func TestParseWitness(t *testing.T) {
	good := testlog.NewWitness("a.example").VKey()
	if w, err := ParseWitness("a", good); err != nil || w.Name != "a" {
		t.Errorf("%+v, %v", w, err)
	}
	for _, bad := range []string{
		"", "a.example", "a.example+00000000+AAAA", good + "x", strings.Replace(good, "a.example", "a example", 1), "+" + good, good[:len(good)-4], good + "AAAA",
	} {
		if w, err := ParseWitness("a", bad); err == nil || !strings.Contains(err.Error(), `witness "a": `) || w.verifier != nil {
			t.Errorf("%q: %+v, %v", bad, w, err)
		}
	}
}

// cosigned are the names of those whose cosignatures verify, each of a time.
func cosigned(checkpoint []byte, witnesses []Witness) []string {
	var names []string
	for _, c := range Cosignatures(checkpoint, witnesses) {
		if c.Time.IsZero() {
			c.Name += ", undated"
		}
		names = append(names, c.Name)
	}
	return names
}
