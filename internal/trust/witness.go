package trust

import (
	"fmt"
	"time"

	"github.com/transparency-dev/formats/note"
	sumnote "golang.org/x/mod/sumdb/note"
)

// Witness is somebody who cosigns checkpoints that he saw grow consistently
// (C2SP tlog-cosignature).
type Witness struct {
	Name     string // the policy's
	verifier sumnote.Verifier
}

// ParseWitness reads a witness's verifier key (C2SP signed-note, "Verifier
// keys"): name+hash+base64, of Ed25519 or ML-DSA-44.
func ParseWitness(name, vkey string) (Witness, error) {
	v, err := note.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return Witness{}, fmt.Errorf("witness %q: %w", name, err)
	}
	return Witness{Name: name, verifier: v}, nil
}

// Cosignature is a witness's signature on a checkpoint that verifies.
type Cosignature struct {
	Name string    // the policy's
	Time time.Time // when the witness signed; zero if it does not say
}

// Cosignatures gives the cosignatures on a checkpoint that verify, in the order
// of the witnesses. The checkpoint's own signature is not looked at.
func Cosignatures(checkpoint []byte, witnesses []Witness) []Cosignature {
	var out []Cosignature
	for _, w := range witnesses { // one at a time: names and key hashes may coincide
		n, err := sumnote.Open(checkpoint, sumnote.VerifierList(w.verifier))
		if err != nil || len(n.Sigs) == 0 {
			continue
		}
		c := Cosignature{Name: w.Name}
		if t, err := note.CoSigV1Timestamp(n.Sigs[0]); err == nil {
			c.Time = t.UTC()
		}
		out = append(out, c)
	}
	return out
}
