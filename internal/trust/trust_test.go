package trust

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/merkle"
)

// shardOf is a shard of ten leaves, and the trust in it.
func shardOf(t testing.TB, host string) (*testlog.Shard, *Material) {
	t.Helper()
	log := testlog.NewRekor(host)
	for i := range byte(10) {
		log.Add([]byte{i})
	}
	m := &Material{}
	addKey(t, m, log.Shard())
	return log.Shard(), m
}

func addKey(t testing.TB, m *Material, s *testlog.Shard) {
	t.Helper()
	k, err := keys.ParsePublic(s.PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	m.AddRekorKey(k)
}

// Property: a Rekor v1 checkpoint opens with the key of the log ID, at any size,
// and says origin, size and root. Further lines and further signatures, as
// witnesses add them, don't matter.
func TestOpenRekorV1(t *testing.T) {
	s, m := shardOf(t, "rekor.example")
	for size := range uint64(11) {
		c, err := m.OpenRekorV1(s.LogID(), s.Checkpoint(size))
		if err != nil || c.Origin != s.Origin() || c.Tree != s.Head(size) {
			t.Errorf("size %d: %+v, %v", size, c, err)
		}
	}
	text := s.CheckpointText(s.Head(10))
	witness, _ := shardOf(t, "witness.example")
	_, cosignature, _ := strings.Cut(string(witness.SignNote(text)), "\n\n")
	unsigned, signature, _ := strings.Cut(string(s.SignNote(text)), "\n\n")
	for name, file := range map[string]string{
		"another line":             string(s.SignNote(text + "Timestamp: 1767225600\n")),
		"two other lines":          string(s.SignNote(text + "a\nb\n")),
		"a cosignature after":      string(s.SignNote(text)) + cosignature,
		"a cosignature before":     unsigned + "\n\n" + cosignature + signature,
		"the same signature twice": string(s.SignNote(text)) + signature,
		"the largest tree":         string(s.SignNote(s.CheckpointText(merkle.Tree{Size: merkle.MaxSize}))),
	} {
		if c, err := m.OpenRekorV1(s.LogID(), []byte(file)); err != nil || c.Origin != s.Origin() {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// Property: each lie in a checkpoint is refused, even if the log itself signs
// it, with a message that quotes it.
func TestCheckpointLies(t *testing.T) {
	s, m := shardOf(t, "rekor.example")
	text := s.CheckpointText(s.Head(10))
	root := strings.Split(text, "\n")[2]
	withRoot := func(n int) string {
		return strings.Replace(text, root, base64.StdEncoding.EncodeToString(make([]byte, n)), 1)
	}
	edit := func(old, new string) string {
		if e := strings.Replace(text, old, new, 1); e != text {
			return e
		}
		t.Fatalf("%q is not in %q", old, text)
		return ""
	}
	origin := func(s string) string { return edit(strings.Split(text, "\n")[0], s) }
	for name, c := range map[string]struct{ text, want string }{
		"size with a zero before it": {edit("\n10\n", "\n010\n"), `tree size "010"`},
		"size with a sign":           {edit("\n10\n", "\n+10\n"), `tree size "+10"`},
		"size below zero":            {edit("\n10\n", "\n-10\n"), `tree size "-10"`},
		"size 1e1":                   {edit("\n10\n", "\n1e1\n"), `tree size "1e1"`},
		"size with a space":          {edit("\n10\n", "\n10 \n"), `tree size "10 "`},
		"no size":                    {edit("\n10\n", "\n\n"), ""},
		"size above 2^62":            {edit("\n10\n", "\n4611686018427387905\n"), `tree size "4611686018427387905"`},
		"size above 2^64":            {edit("\n10\n", "\n18446744073709551626\n"), `tree size "18446744073709551626"`},
		"root of 31 bytes":           {withRoot(31), "root hash"},
		"root of 33 bytes":           {withRoot(33), "root hash"},
		"root with other bits":       {edit(root, root[:42]+other(root[42])+"="), "root hash"},
		"root in base64 for URLs":    {strings.NewReplacer("+", "-", "/", "_").Replace(withRootOf(text, root)), "root hash"},
		"root in hex":                {edit(root, strings.Repeat("0", 64)), "root hash"},
		"no root":                    {edit(root, ""), ""},
		"two lines":                  {edit(root+"\n", ""), "fewer than three lines"},
		"origin without a tree ID":   {origin("rekor.example"), `origin "rekor.example" is not of a Rekor v1`},
		"empty tree ID":              {origin("rekor.example - "), "is not of a Rekor v1"},
		"tree ID 0":                  {origin("rekor.example - 0"), "is not of a Rekor v1"},
		"tree ID with a zero":        {origin("rekor.example - 07"), "is not of a Rekor v1"},
		"tree ID above 2^63":         {origin("rekor.example - 9223372036854775808"), "is not of a Rekor v1"},
		"tree ID no number":          {origin("rekor.example - x"), "is not of a Rekor v1"},
		"two tree IDs":               {origin("rekor.example - 7 - 8"), "is not of a Rekor v1"},
		"no host":                    {origin(" - 7"), "is not of a Rekor v1"},
		"host with a space":          {origin("rekor example - 7"), "is not of a Rekor v1"},
		"host with a plus":           {origin("rekor+example - 7"), "is not of a Rekor v1"},
		"host with an escape":        {origin("rekor\x1b[2J - 7"), `origin "rekor\x1b[2J - 7"`},
		"host with C1 control":       {origin("rekor\u009b2J - 7"), `origin "rekor\u009b2J - 7"`},
		"a database's origin":        {origin("go.sum database tree"), "is not of a Rekor v1"},
		"another host":               {origin("rekor2.example - 7"), "no verifiable signatures"},
		"a control character":        {text + "\x01\n", "malformed note"},
		"nothing":                    {"\n", "is not of a Rekor v1"},
	} {
		got, err := m.OpenRekorV1(s.LogID(), s.SignNote(c.text))
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrUntrustedLog) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, c.want)
		}
		if err != nil && (len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\x1b\u009b")) {
			t.Errorf("%s: message %q is not fit to be shown", name, err)
		}
	}
}

// other is a base64 digit that differs in the two bits that 32 bytes leave over.
func other(digit byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return string(digits[strings.IndexByte(digits, digit)|1])
}

// withRootOf puts in a root that looks different in the two alphabets.
func withRootOf(text, root string) string {
	return strings.Replace(text, root, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 32)), 1)
}

// Property: it is the trusted key's signature, under the name in the checkpoint,
// that counts.
func TestCheckpointSignatures(t *testing.T) {
	s, m := shardOf(t, "rekor.example")
	stranger, theirs := shardOf(t, "stranger.example")
	text := s.CheckpointText(s.Head(10))
	good := string(s.SignNote(text))
	_, signature, _ := strings.Cut(good, "\n\n")
	for name, c := range map[string]struct{ file, want string }{
		"by another key":               {string(stranger.SignNote(text)), "no verifiable signatures"},
		"by another key of that name":  {strings.ReplaceAll(string(stranger.SignNote(text)), "stranger", "rekor"), "no verifiable signatures"},
		"under another name":           {strings.Replace(good, "— rekor.example ", "— rekor2.example ", 1), "no verifiable signatures"},
		"of another checkpoint":        {s.CheckpointText(s.Head(9)) + "\n" + signature, "invalid signature for key rekor.example"},
		"changed":                      {strings.Replace(good, "\n10\n", "\n11\n", 1), "invalid signature"},
		"none":                         {text + "\n", "malformed note"},
		"not apart from the text":      {text + signature, "malformed note"},
		"bad before good":              {text + "\n— rekor.example " + signature[len("— rekor.example "):len(signature)-9] + "AAAAAAA=\n" + signature, "invalid signature"},
		"too many":                     {good + strings.Repeat("— a.example AAAAAAAA\n", 200), "malformed note"},
		"without a newline at the end": {strings.TrimSuffix(good, "\n"), "malformed note"},
		"an empty file":                {"", "is not of a Rekor v1"},
	} {
		got, err := m.OpenRekorV1(s.LogID(), []byte(c.file))
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, c.want)
		}
	}
	for name, m := range map[string]*Material{"nobody's": {}, "another log's": theirs} {
		if got, err := m.OpenRekorV1(s.LogID(), []byte(good)); got != nil || !errors.Is(err, ErrUntrustedLog) {
			t.Errorf("with %s key: %+v, %v", name, got, err)
		}
	}
	if got, err := m.OpenRekorV1(stranger.LogID(), stranger.Checkpoint(5)); got != nil || !errors.Is(err, ErrUntrustedLog) {
		t.Errorf("another log: %+v, %v", got, err)
	}
}

// Property: which log signed is found by its signature, among those trusted.
func TestRekorLogID(t *testing.T) {
	a, m := shardOf(t, "a.example")
	b, _ := shardOf(t, "b.example")
	c, _ := shardOf(t, "c.example")
	addKey(t, m, b)
	for _, s := range []*testlog.Shard{a, b} {
		id, head, err := m.RekorLogID(s.Checkpoint(7))
		if err != nil || id != s.LogID() || head.Tree != s.Head(7) {
			t.Errorf("%x, %+v, %v", id, head, err)
		}
	}
	if id, head, err := m.RekorLogID(c.Checkpoint(7)); head != nil || id != [32]byte{} || !errors.Is(err, ErrUntrustedLog) || !strings.Contains(err.Error(), `no trusted key signed the checkpoint of "c.example - `) {
		t.Errorf("%x, %+v, %v", id, head, err)
	}
	if _, head, err := m.RekorLogID([]byte("junk\x1b")); head != nil || err == nil || errors.Is(err, ErrUntrustedLog) || strings.ContainsRune(err.Error(), '\x1b') {
		t.Errorf("junk: %+v, %v", head, err)
	}
	if _, head, err := (&Material{}).RekorLogID(a.Checkpoint(7)); head != nil || !errors.Is(err, ErrUntrustedLog) {
		t.Errorf("no trust: %+v, %v", head, err)
	}
}

// trusting is the trust in databases by their names and keys.
func trusting(t testing.TB, all ...*testlog.SumDB) *Material {
	t.Helper()
	m := &Material{}
	for _, db := range all {
		parsed, err := ParseGOSUMDB(db.Key())
		if err != nil {
			t.Fatal(err)
		}
		m.SumDBs = append(m.SumDBs, *parsed)
	}
	return m
}

// Property: a checksum database's head opens with the key that is trusted for
// its name; nothing else does.
func TestOpenSumDB(t *testing.T) {
	db, stranger := testlog.NewSumDB("sum.example.org"), testlog.NewSumDB("sum.example.com")
	for i := range 5 {
		for _, d := range []*testlog.SumDB{db, stranger} {
			d.AddRecord(modV(i), fmt.Appendf(nil, "%d\n", i))
		}
	}
	m := trusting(t, stranger, db)
	for size := range uint64(6) {
		c, err := m.OpenSumDB(db.Name, db.Checkpoint(size))
		if err != nil || c.Tree != db.Head(size) || c.Origin != "go.sum database tree" {
			t.Errorf("size %d: %+v, %v", size, c, err)
		}
	}
	text, _, _ := strings.Cut(string(db.Checkpoint(5)), "\n\n")
	text += "\n"
	shard, _ := shardOf(t, "rekor.example")
	for name, c := range map[string]struct {
		name string
		file []byte
		want string
	}{
		"another database's":        {db.Name, stranger.Checkpoint(5), "no verifiable signatures"},
		"under the other's name":    {stranger.Name, db.Checkpoint(5), "no verifiable signatures"},
		"with another origin":       {db.Name, db.SignNote(strings.Replace(text, "go.sum", "go\u009bsum", 1)), `origin "go\u009bsum database tree", want "go.sum database tree"`},
		"as a Rekor's":              {db.Name, db.SignNote(shard.CheckpointText(shard.Head(5))), "origin"},
		"with a zero before it":     {db.Name, db.SignNote(strings.Replace(text, "\n5\n", "\n05\n", 1)), `tree size "05"`},
		"above 2^62":                {db.Name, db.SignNote(strings.Replace(text, "\n5\n", "\n4611686018427387905\n", 1)), "tree size"},
		"changed":                   {db.Name, bytes.Replace(db.Checkpoint(5), []byte("\n5\n"), []byte("\n6\n"), 1), "invalid signature"},
		"of a database not trusted": {"sum.example.net", db.Checkpoint(5), "log is not trusted here: checksum database \"sum.example.net\""},
		"of no name":                {"", db.Checkpoint(5), "log is not trusted here"},
	} {
		got, err := m.OpenSumDB(c.name, c.file)
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrUntrustedLog) != strings.Contains(c.want, "not trusted") {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, c.want)
		}
	}
	for name, m := range map[string]*Material{"zero trust": {}, "no verifier": {SumDBs: []SumDB{{Name: db.Name}}}} {
		if got, err := m.OpenSumDB(db.Name, db.Checkpoint(5)); got != nil || !errors.Is(err, ErrUntrustedLog) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	two := trusting(t, db, stranger)
	two.SumDBs[1].Name = db.Name // two keys for one name
	if _, err := two.OpenSumDB(db.Name, stranger.Checkpoint(5)); err != nil {
		t.Errorf("the second key of a name: %v", err)
	}
}

// Property: the built-in trust is in Sigstore's public instance: its Rekor v1
// with the well-known log ID, its authorities and its CT logs.
func TestPublicGood(t *testing.T) {
	var m Material
	if err := m.AddPublicGood(); err != nil {
		t.Fatal(err)
	}
	const id = "c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d"
	log := m.Sigstore.RekorLogs()[id]
	if log == nil || log.BaseURL != "https://rekor.sigstore.dev" || hex.EncodeToString(log.ID) != id {
		t.Errorf("Rekor %+v", log)
	}
	if len(m.Sigstore.FulcioCertificateAuthorities()) == 0 || len(m.Sigstore.CTLogs()) == 0 {
		t.Error("no authorities, or no CT logs")
	}
	if len(m.SumDBs) != 0 {
		t.Error("a checksum database came with it")
	}
}

// Property: what is no trusted root is refused and changes nothing.
func TestAddTrustedRootRefuses(t *testing.T) {
	var m Material
	for _, file := range []string{"", "{}", "null", "junk", `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=9.9"}`} {
		if err := m.AddTrustedRoot([]byte(file)); err == nil || len(m.Sigstore) != 0 {
			t.Errorf("%q: %v, trusting %d", file, err, len(m.Sigstore))
		}
	}
	if err := m.AddTrustedRoot(publicGood); err != nil || len(m.Sigstore) != 1 {
		t.Errorf("a good one: %v", err)
	}
}

func modV(i int) module.Version {
	return module.Version{Path: fmt.Sprintf("example.com/m%d", i), Version: "v1.0.0"}
}
