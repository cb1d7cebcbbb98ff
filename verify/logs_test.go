package verify_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/testlog"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/merkle"
	"github.com/modseal/modseal/verify"
)

// A logLie breaks one log of a bundle, which thereby proves nothing. The other
// log is honest.
type logLie struct {
	name string
	of   bundles.Kind
	do   func(w *world, l *bundles.Log)
	want verify.Status // of all modules that need this log
	says string
}

// byPolicy are the requirements, with what each gives when one of the logs, of
// this kind, proves nothing: the lie's verdict, or the other log is enough.
func (l logLie) byPolicy() map[policy.Require]verify.Status {
	out := map[policy.Require]verify.Status{
		policy.RequireAll: l.want, policy.RequireAny: verify.Verified, policy.RequireRekor: verify.Verified, policy.RequireSumDB: l.want,
	}
	if l.of == bundles.RekorV1 {
		out[policy.RequireRekor], out[policy.RequireSumDB] = l.want, verify.Verified
	}
	return out
}

// tellLogs runs lies under every policy. The log that lies is reported as not
// proven, whatever the policy makes of it, and the other as proven.
func tellLogs(t *testing.T, lies []logLie) {
	t.Helper()
	for _, l := range lies {
		t.Run(string(l.of)+"/"+l.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.edit = func(p *bundles.Payload) {
				for i := range p.Logs {
					if p.Logs[i].Kind == l.of {
						l.do(w, &p.Logs[i])
					}
				}
			}
			for require, want := range l.byPolicy() {
				w.flags.Require = require
				r := w.check()
				lie{want: all(want), says: l.says}.judge(t, r)
				for _, log := range r.Logs {
					if log.Proven == (log.Kind == string(l.of)) || log.Proven != (log.Problem == "") || log.Proven == (log.Root == "") {
						t.Errorf("%s: log %+v", require, log)
					}
					if !log.Proven && !strings.Contains(log.Problem, l.says) {
						t.Errorf("%s: problem %q, want %q in it", require, log.Problem, l.says)
					}
				}
			}
		})
	}
}

// otherKey signs notes as the database does, with another key of its name.
func otherKey(t testing.TB, w *world, text string) []byte {
	t.Helper()
	secret, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("other", 10)), w.db.Name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// textOf is a note without its signatures.
func textOf(note []byte) string {
	text, _, _ := strings.Cut(string(note), "\n\n")
	return text + "\n"
}

// Property: a log whose tree head is not signed by the key that the enclave has
// for it, or whose entries do not lead to it, proves nothing: invalid. One that
// the enclave does not know is not allowed. Neither is ever half believed.
func TestLogs(t *testing.T) {
	const unproven = "the entries do not lead to the signed tree head"
	var lies []logLie
	for _, kind := range []bundles.Kind{bundles.SumDB, bundles.RekorV1} {
		lies = append(lies, []logLie{
			{"checkpoint of a smaller tree", kind, func(w *world, l *bundles.Log) { l.Checkpoint = checkpoint(w, l, l.Proof.Size-1) }, verify.Invalid, unproven},
			{"multiproof of a smaller tree", kind, func(w *world, l *bundles.Log) { l.Proof = multiproof(w, l, l.Proof.Size-1) }, verify.Invalid, unproven},
			{"checkpoint of another root", kind, func(w *world, l *bundles.Log) {
				l.Checkpoint = sign(w, l, strings.Replace(textOf(l.Checkpoint), lineOf(l.Checkpoint, 2), sum(sha256.Sum256(nil))[3:], 1))
			}, verify.Invalid, unproven},
			{"multiproof's first node flipped", kind, func(_ *world, l *bundles.Log) { l.Proof.Nodes[0][0] ^= 1 }, verify.Invalid, unproven},
			{"multiproof's last node flipped", kind, func(_ *world, l *bundles.Log) { l.Proof.Nodes[len(l.Proof.Nodes)-1][31] ^= 0x80 }, verify.Invalid, unproven},
			{"two nodes exchanged", kind, func(_ *world, l *bundles.Log) { n := l.Proof.Nodes; n[0], n[1] = n[1], n[0] }, verify.Invalid, unproven},
			{"two entries exchanged", kind, func(_ *world, l *bundles.Log) {
				l.Entries[0].Leaf, l.Entries[1].Leaf = l.Entries[1].Leaf, l.Entries[0].Leaf
			}, verify.Invalid, unproven},
			{"signature cut off", kind, func(_ *world, l *bundles.Log) { l.Checkpoint = l.Checkpoint[:len(textOf(l.Checkpoint))] }, verify.Invalid, "checkpoint"},
			{"text changed under the signature", kind, func(_ *world, l *bundles.Log) {
				l.Checkpoint = []byte(strings.Replace(string(l.Checkpoint), lineOf(l.Checkpoint, 2), sum(sha256.Sum256(nil))[3:], 1))
			}, verify.Invalid, "checkpoint"},
			{"checkpoint of size 0", kind, func(w *world, l *bundles.Log) { l.Checkpoint = checkpoint(w, l, 0) }, verify.Invalid, unproven},
			{"unknown to the enclave", kind, func(w *world, l *bundles.Log) {
				if kind == bundles.SumDB {
					w.request.Trust.SumDBs = nil
				} else {
					w.request.Trust.Sigstore = nil
				}
			}, verify.NotAllowed, "not trusted here"},
		}...)
	}
	tellLogs(t, append(lies, sumdbLies()...))
	tellLogs(t, rekorLies())
}

func sumdbLies() []logLie {
	return []logLie{
		{"key of another, under the same name", bundles.SumDB, func(w *world, l *bundles.Log) { l.Checkpoint = otherKey(w, w, textOf(l.Checkpoint)) }, verify.Invalid, "no verifiable signatures"},
		{"signed text is no tree head", bundles.SumDB, func(w *world, l *bundles.Log) {
			l.Checkpoint = w.db.SignNote(strings.Replace(textOf(l.Checkpoint), "go.sum database tree", "other log", 1))
		}, verify.Invalid, "origin"},
		{"h1 altered", bundles.SumDB, func(w *world, l *bundles.Log) {
			m := w.mod(plain)
			for i := range l.Entries {
				l.Entries[i].Leaf = strings.Replace(l.Entries[i].Leaf, sum(m.h1()), sum(m.goModH1()), 1)
			}
		}, verify.Invalid, "the entries do not lead"},
		{"of a trusted database, called another trusted one", bundles.SumDB, func(w *world, l *bundles.Log) {
			db, err := trust.ParseGOSUMDB(testlog.NewSumDB("other.example.org").Key())
			if err != nil {
				w.Fatal(err)
			}
			w.request.Trust.SumDBs = append(w.request.Trust.SumDBs, *db)
			l.Name = db.Name
		}, verify.Invalid, "no verifiable signatures"},
	}
}

// otherShard is a second shard of a Rekor of the same name, with a key of its own.
func otherShard() *testlog.Shard { return testlog.NewRekor("rekor.example").Rotate() }

func rekorLies() []logLie {
	return []logLie{
		{"key of another shard", bundles.RekorV1, func(_ *world, l *bundles.Log) {
			l.Checkpoint = otherShard().SignNote(textOf(l.Checkpoint))
		}, verify.Invalid, "checkpoint"},
		{"key of another shard, also trusted", bundles.RekorV1, func(w *world, l *bundles.Log) {
			trustRekor(w, w.request.Trust, otherShard())
			l.Checkpoint = otherShard().SignNote(textOf(l.Checkpoint))
		}, verify.Invalid, "checkpoint"},
		{"said to be another trusted shard", bundles.RekorV1, func(w *world, l *bundles.Log) {
			trustRekor(w, w.request.Trust, otherShard())
			id := otherShard().LogID()
			l.LogID = hex.EncodeToString(id[:])
		}, verify.Invalid, "checkpoint"},
		{"said to be an unknown shard", bundles.RekorV1, func(_ *world, l *bundles.Log) {
			id := otherShard().LogID()
			l.LogID = hex.EncodeToString(id[:])
		}, verify.NotAllowed, "not trusted here"},
		{"another origin in the checkpoint", bundles.RekorV1, func(w *world, l *bundles.Log) {
			l.Checkpoint = w.rekor.Shard().SignNote(strings.Replace(textOf(l.Checkpoint), w.rekor.Shard().Origin(), "rekor.example - 1", 1))
		}, verify.Invalid, `checkpoint is of "rekor.example - 1"`},
		{"digest in a body altered", bundles.RekorV1, func(w *world, l *bundles.Log) {
			body := &l.Entries[0].Leaf // over the zip of the first module
			zip, h1 := w.mods[0].zipDigest(), w.mods[0].h1()
			*body = strings.Replace(*body, hex.EncodeToString(zip[:]), hex.EncodeToString(h1[:]), 1)
		}, verify.Invalid, "the entries do not lead"},
	}
}

func lineOf(note []byte, n int) string { return strings.Split(string(note), "\n")[n] }

// sign signs a text with the log's own key.
func sign(w *world, l *bundles.Log, text string) []byte {
	if l.Kind == bundles.SumDB {
		return w.db.SignNote(text)
	}
	return w.rekor.Shard().SignNote(text)
}

func checkpoint(w *world, l *bundles.Log, size uint64) []byte {
	if l.Kind == bundles.SumDB {
		return w.db.Checkpoint(size)
	}
	return w.rekor.Shard().Checkpoint(size)
}

func multiproof(w *world, l *bundles.Log, size uint64) *merkle.Multiproof {
	if l.Kind == bundles.SumDB {
		return w.db.Multiproof(size, l.Proof.Indexes...)
	}
	return w.rekor.Shard().Multiproof(size, l.Proof.Indexes...)
}

// Property: a checkpoint may have more lines after the root, under the signature.
func TestCheckpointHasMoreLines(t *testing.T) {
	w := newWorld(t)
	w.edit = func(p *bundles.Payload) {
		for i := range p.Logs {
			p.Logs[i].Checkpoint = sign(w, &p.Logs[i], textOf(p.Logs[i].Checkpoint)+"extension\n")
		}
	}
	if r := w.check(); !r.OK {
		t.Errorf("counts %v, logs %+v", r.Counts, r.Logs)
	}
}
