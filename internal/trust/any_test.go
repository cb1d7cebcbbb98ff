package trust

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// Property: the log that signed a head is told by the key that verifies, whatever
// sort of log it is, and whatever the head says of itself.
func TestOpenAny(t *testing.T) {
	v2, m := shardV2(t, "rekor2.example", "https://rekor2.example")
	v1, other := shardOf(t, "rekor.example")
	db := testlog.NewSumDB("sum.example.org")
	key, err := ParseGOSUMDB(db.Key())
	if err != nil {
		t.Fatal(err)
	}
	second, err := ParseGOSUMDB(testlog.NewSumDB("second.example.org").Key())
	if err != nil {
		t.Fatal(err)
	}
	m.Sigstore = append(m.Sigstore, other.Sigstore...)
	m.SumDBs = append(m.SumDBs, *second, *key)
	id1, id2 := v1.LogID(), v2.LogID()
	for _, x := range []struct {
		file []byte
		want Head
	}{
		{db.Checkpoint(0), Head{Kind: KindSumDB, Name: "sum.example.org"}},
		{v1.Checkpoint(3), Head{Kind: KindRekorV1, Name: v1.Origin(), LogID: hex.EncodeToString(id1[:])}},
		{v2.Checkpoint(3), Head{Kind: KindRekorV2, Name: "rekor2.example", LogID: hex.EncodeToString(id2[:])}},
	} {
		got, err := m.Open(x.file)
		if err != nil || got.Kind != x.want.Kind || got.Name != x.want.Name || got.LogID != x.want.LogID {
			t.Errorf("%+v, %v; want %+v", got, err, x.want)
		}
		if got, err := (&Material{}).Open(x.file); got != nil || !errors.Is(err, ErrUntrustedLog) {
			t.Errorf("nobody is trusted: %+v, %v", got, err)
		}
		lie := append([]byte{}, x.file...)
		lie[strings.LastIndex(string(lie), "\n\n")-3] ^= 1
		if got, err := m.Open(lie); got != nil || !errors.Is(err, ErrUntrustedLog) {
			t.Errorf("a head that was changed: %+v, %v", got, err)
		}
	}
	for _, file := range []string{"", "x", "go.sum database tree\n", string(v1.SignNote(testlog.CheckpointText("go.sum database tree", merkle.Tree{})))} {
		if got, err := m.Open([]byte(file)); got != nil || !errors.Is(err, ErrUntrustedLog) {
			t.Errorf("%q: %+v, %v", file, got, err)
		}
	}
}
