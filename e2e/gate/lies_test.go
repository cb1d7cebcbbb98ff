package gate

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// lie is an answer that no honest server gives.
type lie struct {
	name string
	path string // of the answers that change
	do   func([]byte) []byte
	code int // of the snapshot that is told it
	says []string
}

// object is JSON that is changed as it is.
type object = map[string]any

// inEntries changes every entry of an answer.
func inEntries(do func(e object)) func([]byte) []byte {
	return func(body []byte) []byte {
		var list []map[string]object
		if !decode(body, &list) {
			return body
		}
		for _, o := range list {
			for _, e := range o {
				do(e)
			}
		}
		return encode(list)
	}
}

// inProofs changes the inclusion proof of every entry.
func inProofs(do func(p object)) func([]byte) []byte {
	return inEntries(func(e object) { do(e["verification"].(object)["inclusionProof"].(object)) })
}

// inObject changes an answer that is one object.
func inObject(do func(o object)) func([]byte) []byte {
	return func(body []byte) []byte {
		var o object
		if !decode(body, &o) {
			return body
		}
		do(o)
		return encode(o)
	}
}

func decode(body []byte, out any) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return d.Decode(out) == nil
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// flipHex changes the first digit of a hash.
func flipHex(v any) any { return flip(v.(string), 0, "0123456789abcdef") }

// flipBase64 changes one character in the middle.
func flipBase64(v any) any {
	s := v.(string)
	return flip(s, len(s)/2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

func flip(s string, at int, alphabet string) string {
	for _, c := range alphabet {
		if c != rune(s[at]) {
			return s[:at] + string(c) + s[at+1:]
		}
	}
	panic("unreachable")
}

// plus adds to a number.
func plus(v any, n int64) any {
	i, err := v.(json.Number).Int64()
	if err != nil {
		panic(err)
	}
	return i + n
}

// flipSignature changes the signature of a checkpoint.
func flipSignature(v any) any {
	s := strings.TrimSuffix(v.(string), "\n")
	return flip(s, len(s)-20, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") + "\n"
}

// otherBody puts another digest into the body of an entry.
func otherBody(v any) any {
	body, err := base64.StdEncoding.DecodeString(v.(string))
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(bytes.Replace(body, []byte(`"value":"`), []byte(`"value":"00`), 1))
}

// lies that the snapshot finds out. An answer that can't be used is an error of the environment: asking failed, exit code 2.
// Where all was answered, and no evidence for the module was among it, the module is not proven: exit code 1.
var lies = []lie{
	{"body altered", retrievePath, inEntries(func(e object) { e["body"] = otherBody(e["body"]) }), 2, []string{"entry differs from its UUID"}},
	{"no body", retrievePath, inEntries(func(e object) { delete(e, "body") }), 2, []string{"incomplete", "body is missing"}},
	{"proof hash altered", retrievePath, inProofs(func(p object) {
		h := p["hashes"].([]any)
		h[0] = flipHex(h[0])
	}), 2, []string{"inclusion proof fails"}},
	{"proof hashes swapped", retrievePath, inProofs(func(p object) {
		h := p["hashes"].([]any)
		h[0], h[len(h)-1] = h[len(h)-1], h[0]
	}), 2, []string{"inclusion proof fails"}},
	{"proof hash missing", retrievePath, inProofs(func(p object) { p["hashes"] = p["hashes"].([]any)[1:] }), 2, []string{"inclusion proof fails"}},
	{"place in the tree altered", retrievePath, inProofs(func(p object) { p["logIndex"] = plus(p["logIndex"], -1) }), 2, []string{"inclusion proof fails"}},
	{"root altered", retrievePath, inProofs(func(p object) { p["rootHash"] = flipHex(p["rootHash"]) }), 2, []string{"checkpoint and answer disagree"}},
	{"checkpoint of another size", retrievePath, inProofs(func(p object) { p["checkpoint"] = otherSize(p["checkpoint"]) }), 2, []string{"checkpoint and answer disagree"}},
	{"checkpoint of another tree", retrievePath, inProofs(func(p object) {
		p["checkpoint"] = strings.Replace(p["checkpoint"].(string), " - ", " - 1", 1)
	}), 2, []string{"tree ID"}},
	{"checkpoint signature altered", retrievePath, inProofs(func(p object) { p["checkpoint"] = flipSignature(p["checkpoint"]) }), 2, []string{"bad answer", "checkpoint"}},
	{"SET altered", retrievePath, inEntries(func(e object) {
		v := e["verification"].(object)
		v["signedEntryTimestamp"] = flipBase64(v["signedEntryTimestamp"])
	}), 2, []string{"signed entry timestamp"}},
	{"no SET", retrievePath, inEntries(func(e object) { delete(e["verification"].(object), "signedEntryTimestamp") }), 2, []string{"incomplete", "signedEntryTimestamp is missing"}},
	{"integratedTime altered", retrievePath, inEntries(func(e object) { e["integratedTime"] = plus(e["integratedTime"], 3600) }), 2, []string{"signed entry timestamp"}},
	{"logIndex altered", retrievePath, inEntries(func(e object) { e["logIndex"] = plus(e["logIndex"], 1) }), 2, []string{"signed entry timestamp"}},
	{"logID altered", retrievePath, inEntries(func(e object) { e["logID"] = flipHex(e["logID"]) }), 2, []string{"log"}},
	{"entries left out", retrievePath, func([]byte) []byte { return []byte("[]") }, 2, []string{"entries missing", "left out"}},
	{"half an answer", retrievePath, func(b []byte) []byte { return b[:len(b)/2] }, 2, []string{"malformed"}},
	{"another language", retrievePath, func([]byte) []byte { return []byte("<html>welcome to the hotel</html>") }, 2, []string{"malformed"}},
	{"search result that is none", searchPath, func([]byte) []byte { return []byte(`["../../etc/passwd"]`) }, 2, []string{"malformed", "search result"}},
	{"search result withheld", searchPath, func([]byte) []byte { return []byte("[]") }, 1, []string{"not-logged", "no evidence"}},
	{"log's root altered", logPath, inObject(func(o object) { o["rootHash"] = flipHex(o["rootHash"]) }), 2, []string{"checkpoint and answer disagree", "can't be used"}},
	{"log's checkpoint signature altered", logPath, inObject(func(o object) { o["signedTreeHead"] = flipSignature(o["signedTreeHead"]) }), 2, []string{"checkpoint: invalid signature"}},
	{"log's head forged", logPath, inObject(forgeHead), 2, []string{"checkpoint: invalid signature"}},
	{"consistency proof altered", proofPath, inObject(func(o object) {
		h := o["hashes"].([]any)
		h[len(h)-1] = flipHex(h[len(h)-1])
	}), 2, []string{"does not lead to the head"}},
	{"consistency proof of nothing", proofPath, inObject(func(o object) { o["hashes"] = []any{} }), 2, []string{"does not lead to the head"}},
}

// otherSize changes the second line of a checkpoint.
func otherSize(v any) any {
	lines := strings.SplitN(v.(string), "\n", 3)
	lines[1] += "0"
	return strings.Join(lines, "\n")
}

// forgeHead makes up a larger tree.
func forgeHead(o object) {
	o["treeSize"] = plus(o["treeSize"], 1000)
	root, err := hex.DecodeString(flipHex(o["rootHash"]).(string))
	if err != nil {
		panic(err)
	}
	o["rootHash"] = hex.EncodeToString(root)
	lines := strings.SplitN(o["signedTreeHead"].(string), "\n", 4)
	lines[1], lines[2] = fmt.Sprint(o["treeSize"]), base64.StdEncoding.EncodeToString(root)
	o["signedTreeHead"] = strings.Join(lines, "\n")
}

// surround puts entries before and after others, so that no proof is short of hashes.
func surround(s *site, do func()) {
	for range 4 {
		s.grows()
	}
	do()
	for range 4 {
		s.grows()
	}
}

// No lie gets into a bundle, and none stays in the cache: when the server tells the truth again, so does the snapshot.
func TestLies(t *testing.T) {
	t.Parallel()
	const module = "golang.org/x/sync@v0.16.0"
	base := newSite(t, module)
	surround(base, func() { base.attest("signer") })
	for _, c := range lies {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			var told atomic.Int64
			p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
				if r.Path == logPath && r.Nth > 1 {
					s.grows() // so that a consistency proof is needed
				}
				if r.Path != c.path || r.Path == logPath && r.Nth == 1 {
					return faultproxy.Fault{}
				}
				return faultproxy.Fault{Change: func(_ string, body []byte) []byte {
					told.Add(1)
					return c.do(body)
				}}
			})
			said := s.snapshot(c.code, signedBy("signer")...)
			s.says(said.stderr, c.says...)
			if c.path == retrievePath || c.path == searchPath {
				s.says(said.stderr, module)
			}
			if said.stdout != "" || told.Load() == 0 {
				t.Errorf("%d lies were told, the snapshot says %q", told.Load(), said.stdout)
			}

			p.SetHook(nil)
			s.snapshot(0, signedBy("signer")...)
			s.allVerified(s.verify(0, signedBy("signer")...))
		})
	}
}

// A lie about a signer's entry is not passed over because a module has other evidence that is enough.
func TestLieBesideTruth(t *testing.T) {
	t.Parallel()
	const module = "golang.org/x/sync@v0.18.0"
	s := newSite(t, module)
	s.setenv("GOSUMDB", "sum.golang.org")
	s.attest("signer")
	p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
		if r.Path != retrievePath || r.Nth > 1 {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Change: func(_ string, body []byte) []byte {
			return inEntries(func(e object) { e["integratedTime"] = plus(e["integratedTime"], 1) })(body)
		}}
	})
	s.says(s.snapshot(2, "--key", "signer.pub").stderr, module, "signed entry timestamp")
	p.SetHook(nil)
	s.snapshot(0, "--key", "signer.pub")
	s.allVerified(s.verify(0, "--require", "all", "--key", "signer.pub"))
}

// The index is nobody's word: what it names that is no entry over the digest is left out, and what it does not name is
// missing. An entry that was not asked for is not taken.
func TestOtherEntries(t *testing.T) {
	t.Parallel()
	const module = "golang.org/x/sync@v0.17.0"
	base := newSite(t, module)
	base.attest("signer")
	foreign := base.foreignEntry()
	for _, c := range []struct {
		name, path string
		do         func([]byte) []byte
		code       int
		says       []string
	}{
		{"named in place", searchPath, func([]byte) []byte { return encode([]string{foreign.uuid}) }, 1, []string{module + ": not-logged"}},
		{"named as well", searchPath, func(b []byte) []byte {
			var uuids []string
			decode(b, &uuids)
			return encode(append(uuids, foreign.uuid))
		}, 0, []string{module, "entries left out: 1 over another digest"}},
		{"given in place", retrievePath, func([]byte) []byte { return foreign.answer }, 2, []string{module, "not what was asked for"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base.again(t)
			p := s.proxy(func(r faultproxy.Request) faultproxy.Fault {
				if r.Path != c.path {
					return faultproxy.Fault{}
				}
				return faultproxy.Fault{Change: func(_ string, body []byte) []byte { return c.do(body) }}
			})
			s.says(s.snapshot(c.code, signedBy("signer")...).stderr, c.says...)
			p.SetHook(nil)
			s.snapshot(0, signedBy("signer")...)
			s.allVerified(s.verify(0, signedBy("signer")...))
		})
	}
}

// foreign is an entry over a digest that no module has.
type foreign struct {
	uuid   string
	answer []byte // of log/entries/retrieve
}

func (s *site) foreignEntry() foreign {
	s.Helper()
	digest := [32]byte{1, 2, 3}
	if err := logByStranger(s.Context(), digest); err != nil {
		s.Fatal(err)
	}
	var uuids []string
	s.eventually(func() bool {
		uuids = s.search(digest, nil)
		return len(uuids) == 1
	})
	var answer json.RawMessage
	if err := ask(s.Context(), "POST", retrievePath, map[string][]string{"entryUUIDs": uuids}, &answer); err != nil {
		s.Fatal(err)
	}
	return foreign{uuids[0], answer}
}
