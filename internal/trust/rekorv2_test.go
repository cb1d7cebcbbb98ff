package trust

import (
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// trustedLog is the trust in one log, as a trusted root has it.
type trustedLog struct {
	root.BaseTrustedMaterial
	logs map[string]*root.TransparencyLog
}

func (l *trustedLog) RekorLogs() map[string]*root.TransparencyLog { return l.logs }

// shardV2 is a shard of ten leaves of a Rekor v2, and the trust in it at a URL.
func shardV2(t testing.TB, host, url string) (*testlog.RekorV2, *Material) {
	t.Helper()
	r := testlog.NewRekorV2(host)
	for i := range byte(10) {
		r.Add([]byte{i})
	}
	id := r.LogID()
	log := &root.TransparencyLog{ID: id[:], BaseURL: url, HashFunc: crypto.SHA256, PublicKey: r.PublicKey(), SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Unix(0, 0)}
	return r, &Material{Sigstore: root.TrustedMaterialCollection{&trustedLog{logs: map[string]*root.TransparencyLog{hexID(id): log}}}}
}

func hexID(id [32]byte) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, x := range id {
		b.WriteByte(digits[x>>4])
		b.WriteByte(digits[x&15])
	}
	return b.String()
}

// Property: a Rekor v2 checkpoint opens with the key of the log ID, at any size,
// if its origin and its signer are the host of the log's URL, whatever else the
// URL has.
func TestOpenRekorV2(t *testing.T) {
	const host = "log2025-1.rekor.example"
	for _, url := range []string{"https://" + host, "http://" + host + ":8080/", "https://" + host + "/a/path"} {
		r, m := shardV2(t, host, url)
		for size := range uint64(11) {
			c, err := m.OpenRekorV2(r.LogID(), r.Checkpoint(size))
			if err != nil || c.Origin != host || c.Tree != r.Head(size) {
				t.Errorf("%s, size %d: %+v, %v", url, size, c, err)
			}
		}
		if log, err := m.RekorLog(r.LogID()); err != nil || log.BaseURL != url {
			t.Errorf("%+v, %v", log, err)
		}
	}
	r, m := shardV2(t, host, "https://"+host)
	text := testlog.CheckpointText(host, r.Head(10))
	_, own, _ := strings.Cut(string(r.SignNote(text)), "\n\n")
	cosignature := testlog.NewWitness("witness.example").Cosignature(text, 1767225600)
	for name, file := range map[string]string{
		"cosigned":             text + "\n" + own + cosignature,
		"cosigned, that first": text + "\n" + cosignature + own,
		"with another line":    string(r.SignNote(text + "more\n")),
	} {
		if c, err := m.OpenRekorV2(r.LogID(), []byte(file)); err != nil || c.Tree != r.Head(10) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if log, err := m.RekorLog([32]byte{1}); !errors.Is(err, ErrUntrustedLog) {
		t.Errorf("a stranger: %+v, %v", log, err)
	}
}

// Property: each lie about a Rekor v2 is refused, even if the log itself signs
// it: another origin, another name beside the signature, another key, another
// log's ID, and a checkpoint of a Rekor v1.
func TestRekorV2Lies(t *testing.T) {
	const host = "rekor2.example"
	r, m := shardV2(t, host, "https://"+host)
	stranger, theirs := shardV2(t, "other.example", "https://other.example")
	v1, _ := shardOf(t, host)
	text := testlog.CheckpointText(host, r.Head(10))
	other := testlog.CheckpointText("other.example", r.Head(10))
	forged := strings.ReplaceAll(string(stranger.SignNote(text)), "— other.example ", "— "+host+" ")
	for name, c := range map[string]struct{ file, want string }{
		"another origin":                       {string(r.SignNote(other)), `origin "other.example", want "rekor2.example"`},
		"another origin, signed in its name":   {string(r.SignNoteAs("other.example", other)), "no verifiable signatures"},
		"signed in another name":               {string(r.SignNoteAs("other.example", text)), "no verifiable signatures"},
		"by another key":                       {string(stranger.SignNoteAs(host, text)), "no verifiable signatures"},
		"by another key, with that of another": {forged, "no verifiable signatures"},
		"origin in upper case":                 {string(r.SignNote(testlog.CheckpointText("REKOR2.example", r.Head(10)))), "origin"},
		"origin with the port":                 {string(r.SignNote(testlog.CheckpointText(host+":443", r.Head(10)))), "origin"},
		"origin of a Rekor v1":                 {string(r.SignNote(testlog.CheckpointText(host+" - 7", r.Head(10)))), "origin"},
		"a Rekor v1's":                         {string(v1.Checkpoint(10)), "no verifiable signatures"},
		"unsigned":                             {text + "\n", "malformed note"},
		"changed":                              {strings.Replace(string(r.SignNote(text)), "\n10\n", "\n11\n", 1), "invalid signature"},
		"of a size that is none":               {string(r.SignNote(strings.Replace(text, "\n10\n", "\n010\n", 1))), "tree size"},
		"above 2^62":                           {string(r.SignNote(testlog.CheckpointText(host, merkle.Tree{Size: merkle.MaxSize + 1}))), "tree size"},
		"empty":                                {"", "malformed note"},
	} {
		got, err := m.OpenRekorV2(r.LogID(), []byte(c.file))
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrUntrustedLog) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, c.want)
		}
	}
	good := r.Checkpoint(10)
	for name, m := range map[string]*Material{"nobody's": {}, "another log's": theirs} {
		if got, err := m.OpenRekorV2(r.LogID(), good); got != nil || !errors.Is(err, ErrUntrustedLog) {
			t.Errorf("with %s trust: %+v, %v", name, got, err)
		}
	}
	for _, url := range []string{"", "rekor2.example", "https://", "::", "file:///rekor2.example"} {
		_, m := shardV2(t, host, url)
		if got, err := m.OpenRekorV2(r.LogID(), good); got != nil || !errors.Is(err, ErrUntrustedLog) || !strings.Contains(err.Error(), "names no host") {
			t.Errorf("trusted at %q: %+v, %v", url, got, err)
		}
	}
	for _, url := range []string{"https://other.example", "https://" + host + ".evil", "https://x" + host} {
		_, m := shardV2(t, host, url)
		if got, err := m.OpenRekorV2(r.LogID(), good); got != nil || err == nil {
			t.Errorf("trusted at %q: %+v", url, got)
		}
	}
	if got, err := m.OpenRekorV1(r.LogID(), good); got != nil || err == nil {
		t.Errorf("as a Rekor v1: %+v", got)
	}
	if got, err := m.OpenRekorV1(r.LogID(), r.SignNote(testlog.CheckpointText(host+" - 7", r.Head(10)))); err != nil || got.Origin != host+" - 7" {
		t.Errorf("a trusted key may sign as a Rekor v1: %+v, %v", got, err)
	}
	bare, trust := shardOf(t, host) // a key alone says no URL
	if got, err := trust.OpenRekorV2(bare.LogID(), bare.Checkpoint(10)); got != nil || !errors.Is(err, ErrUntrustedLog) {
		t.Errorf("with a bare key: %+v, %v", got, err)
	}
}
