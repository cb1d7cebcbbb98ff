package seal

import (
	"errors"
	"fmt"
	"time"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/policy"
	"github.com/modseal/modseal/internal/trust"
)

// Trusted is whose seals an enclave demands. It is a bundles.SealVerifier; the
// zero value trusts nobody.
type Trusted struct {
	Rule  policy.SealRule
	Trust *trust.Material // logs and authorities, for seals by identities; nil: none of these count
}

// VerifySeals implements bundles.SealVerifier. A sealer counts once, however many
// seals are by the same.
func (t Trusted) VerifySeals(seals [][]byte, payload bundles.Digests) bundles.Sealing {
	var s bundles.Sealing
	var by []policy.Principal
	for i, file := range seals {
		who, logged, err := t.verify(file, payload)
		if err != nil {
			s.Refused = append(s.Refused, fmt.Errorf("seal %d: %w", i, err))
			continue
		}
		by = append(by, who)
		s.Accepted = append(s.Accepted, bundles.Seal{Index: i, By: who.String(), Time: logged})
	}
	if len(by) == 0 {
		return s
	}
	if ok, why := t.Rule.Enough(by); !ok {
		s.Lacks = errors.New(why)
		return s
	}
	return s
}

// verify verifies one seal, which must be by a trusted sealer. The hint in a seal
// by a key picks the key among those of the sealers, and that key picks the
// algorithm. A seal by an identity tells when it was logged.
func (t Trusted) verify(file []byte, payload bundles.Digests) (who policy.Principal, logged time.Time, err error) {
	s, err := parse(file)
	switch {
	case err != nil:
		return who, logged, err
	case s.certificate:
		return t.verifyCertificate(file, payload)
	}
	var trusted []string
	for _, signer := range t.Rule.Sealers() {
		k := signer.Key
		if k == nil {
			continue
		}
		if k.Hint() == s.hint {
			return policy.Principal{Key: k}, logged, s.verifyKey(k, payload)
		}
		trusted = append(trusted, k.Hint())
	}
	if len(trusted) == 0 {
		return who, logged, fmt.Errorf("signed with the key of hint %.60q; no sealer's key is trusted here", s.hint)
	}
	return who, logged, fmt.Errorf("signed with the key of hint %.60q; trusted is %q", s.hint, trusted)
}

// verifyCertificate demands a signature over the payload's SHA-256 by the key of
// a certificate that a trusted authority issued, while the certificate was valid:
// as a trusted Rekor v1 says, or a trusted timestamp authority of what is in a
// trusted Rekor v2. One log entry that verifies is enough.
func (t Trusted) verifyCertificate(file []byte, payload bundles.Digests) (who policy.Principal, logged time.Time, err error) {
	if t.Trust == nil || !t.namesIdentities() {
		return who, logged, errors.New("it is by a certificate; only keys are trusted here")
	}
	entries, err := evidence.ReadBundle(file)
	if err != nil {
		return who, logged, fmt.Errorf("%.300q", err.Error()) // which has text of the seal
	}
	verifier, err := evidence.NewVerifier(t.Trust.Sigstore)
	if err != nil {
		return who, logged, err
	}
	var refused []error
	for i := range entries {
		who, logged, err := t.verifyEntry(verifier, &entries[i], payload)
		if err == nil {
			return who, logged, nil
		}
		refused = append(refused, err)
	}
	return who, logged, errors.Join(refused...)
}

func (t Trusted) namesIdentities() bool {
	for _, s := range t.Rule.Sealers() {
		if s.Identity != nil {
			return true
		}
	}
	return false
}

func (t Trusted) verifyEntry(v *evidence.Verifier, p *evidence.Published, payload bundles.Digests) (who policy.Principal, logged time.Time, err error) {
	if want := evidence.SHA256(payload.SHA256); p.Claim.Digest != want {
		return who, logged, fmt.Errorf("it is over another payload: the one here has %s, the signed one %.140s", want, p.Claim.Digest)
	}
	if p.Claim.Certificate == nil || p.Claim.Statement != nil || !p.Proven {
		return who, logged, errors.New("its log entry is not of a signature with a certificate, or has no inclusion proof")
	}
	claimed, err := policy.Claimed(p.Claim.Certificate)
	if err != nil {
		return who, logged, err
	}
	if len(t.Rule.Names(claimed)) == 0 { // not worth a verification
		return who, logged, fmt.Errorf("it is by %s (not verified), who is not trusted to seal", claimed)
	}
	open := t.Trust.OpenRekorV1
	if p.V2 {
		open = t.Trust.OpenRekorV2
	}
	if _, err := open(p.LogID, p.Checkpoint); err != nil {
		return who, logged, err
	}
	signed, err := v.Verify(&p.Entry, p.Claim)
	if err != nil {
		return who, logged, fmt.Errorf("%.300q", err.Error())
	}
	return claimed, signed.Time, nil
}

// By is the trust in one key alone.
func By(k *keys.Public) Trusted {
	return Trusted{Rule: policy.FromFlags(policy.Flags{Sealers: []policy.Signer{policy.KeySigner(k)}}).Seal}
}
