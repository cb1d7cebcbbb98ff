package trust

import (
	"fmt"

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

// Cosigned gives the names of the witnesses whose cosignatures on a checkpoint
// verify. The checkpoint's own signature is not looked at.
func Cosigned(checkpoint []byte, witnesses []Witness) []string {
	var names []string
	for _, w := range witnesses { // one at a time: names and key hashes may coincide
		if n, err := sumnote.Open(checkpoint, sumnote.VerifierList(w.verifier)); err == nil && len(n.Sigs) > 0 {
			names = append(names, w.Name)
		}
	}
	return names
}
