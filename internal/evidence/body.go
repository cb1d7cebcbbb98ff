package evidence

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/modseal/modseal/internal/keys"
)

// The bodies of the kinds of entries, in the order of Rekor's canonical JSON
// (RFC 8785). In each, the first members say the kind and its version.

type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

type hashValue struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
}

// hashedRekordV1 is hashedrekord 0.0.1 of Rekor v1.
type hashedRekordV1 struct {
	header
	Spec struct {
		Data struct {
			Hash hashValue `json:"hash"`
		} `json:"data"`
		Signature struct {
			Content   []byte `json:"content"`
			PublicKey struct {
				Content []byte `json:"content"`
			} `json:"publicKey"`
		} `json:"signature"`
	} `json:"spec"`
}

// dsseV1 is dsse 0.0.1 of Rekor v1.
type dsseV1 struct {
	header
	Spec struct {
		EnvelopeHash hashValue `json:"envelopeHash"`
		PayloadHash  hashValue `json:"payloadHash"`
		Signatures   []struct {
			Signature []byte `json:"signature"`
			Verifier  []byte `json:"verifier"`
		} `json:"signatures"`
	} `json:"spec"`
}

// intotoV1 is intoto 0.0.2 of Rekor v1.
type intotoV1 struct {
	header
	Spec struct {
		Content struct {
			Envelope struct {
				PayloadType string `json:"payloadType"`
				Signatures  []struct {
					KeyID     *string `json:"keyid,omitempty"`
					PublicKey []byte  `json:"publicKey"` // PEM as it was submitted
					Sig       []byte  `json:"sig"`       // base64 once more
				} `json:"signatures"`
			} `json:"envelope"`
			Hash        hashValue `json:"hash"`
			PayloadHash hashValue `json:"payloadHash"`
		} `json:"content"`
	} `json:"spec"`
}

// hashedRekordV2 is hashedrekord 0.0.2 of Rekor v2.
type hashedRekordV2 struct {
	header
	Spec struct {
		HashedRekordV002 struct {
			Data struct {
				Algorithm string `json:"algorithm"`
				Digest    []byte `json:"digest"`
			} `json:"data"`
			Signature struct {
				Content  []byte `json:"content"`
				Verifier struct {
					KeyDetails      string    `json:"keyDetails"`
					PublicKey       *rawBytes `json:"publicKey,omitempty"`
					X509Certificate *rawBytes `json:"x509Certificate,omitempty"`
				} `json:"verifier"`
			} `json:"signature"`
		} `json:"hashedRekordV002"`
	} `json:"spec"`
}

type rawBytes struct {
	RawBytes []byte `json:"rawBytes"`
}

// kindOf reads what sort of entry a body is.
func kindOf(body []byte) (kind, version string, err error) {
	var h header
	if err := json.Unmarshal(body, &h); err != nil {
		return "", "", fmt.Errorf("rekor entry: %w", err)
	}
	return h.Kind, h.APIVersion, nil
}

// decode reads a body, which must be in its one canonical form.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return err
	}
	var again bytes.Buffer
	enc := json.NewEncoder(&again)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(into); err != nil || !bytes.Equal(bytes.TrimSuffix(again.Bytes(), []byte("\n")), body) {
		return errors.New("not in canonical form")
	}
	return nil
}

func parseHashedRekordV1(body []byte) (*Claim, error) {
	var b hashedRekordV1
	if err := decode(body, &b); err != nil {
		return nil, err
	}
	if _, ok := algorithms[b.Spec.Data.Hash.Algorithm]; !ok {
		return nil, fmt.Errorf("%w: digest algorithm %.20q", ErrUnsupported, b.Spec.Data.Hash.Algorithm)
	}
	d, err := newDigest(b.Spec.Data.Hash.Algorithm, b.Spec.Data.Hash.Value)
	if err != nil {
		return nil, err
	}
	c := &Claim{Digest: d, Signature: b.Spec.Signature.Content}
	return c, c.parsePEM(b.Spec.Signature.PublicKey.Content)
}

func parseDSSE(body []byte) (*Claim, error) {
	var b dsseV1
	if err := decode(body, &b); err != nil {
		return nil, err
	}
	if len(b.Spec.Signatures) != 1 {
		return nil, fmt.Errorf("%w: a dsse of %d signatures", ErrUnsupported, len(b.Spec.Signatures))
	}
	c := &Claim{Signature: b.Spec.Signatures[0].Signature}
	return c, c.parsePEM(b.Spec.Signatures[0].Verifier)
}

func parseIntoto(body []byte) (*Claim, error) {
	var b intotoV1
	if err := decode(body, &b); err != nil {
		return nil, err
	}
	signatures := b.Spec.Content.Envelope.Signatures
	if len(signatures) != 1 {
		return nil, fmt.Errorf("%w: an intoto of %d signatures", ErrUnsupported, len(signatures))
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(string(signatures[0].Sig))
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	c := &Claim{Signature: sig}
	block, rest := pem.Decode(signatures[0].PublicKey)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: its public key is not one PEM block", ErrUnsupported)
	}
	return c, c.parseBlock(block)
}

// algorithmsV2 are the digest algorithms as Rekor v2 names them.
var algorithmsV2 = map[string]string{"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}

func parseHashedRekordV2(body []byte) (*Claim, error) {
	var b hashedRekordV2
	if err := decode(body, &b); err != nil {
		return nil, err
	}
	data, sig := b.Spec.HashedRekordV002.Data, b.Spec.HashedRekordV002.Signature
	algorithm, ok := algorithmsV2[data.Algorithm]
	if !ok {
		return nil, fmt.Errorf("%w: digest algorithm %.20q", ErrUnsupported, data.Algorithm)
	}
	d, err := newDigest(algorithm, hex.EncodeToString(data.Digest))
	if err != nil {
		return nil, err
	}
	c := &Claim{Digest: d, Signature: sig.Content}
	switch v := sig.Verifier; {
	case v.PublicKey != nil && v.X509Certificate != nil:
		return nil, errors.New("both a public key and a certificate")
	case v.PublicKey != nil:
		return c, c.parseKey(v.PublicKey.RawBytes)
	case v.X509Certificate != nil:
		return c, c.parseCertificate(v.X509Certificate.RawBytes)
	}
	return nil, errors.New("neither a public key nor a certificate")
}

// parsePEM reads the one PEM block that Rekor v1 makes of a key or certificate.
func (c *Claim) parsePEM(file []byte) error {
	block, rest := pem.Decode(file)
	if block == nil {
		return errors.New("its public key is not PEM")
	}
	if len(rest) > 0 && block.Type == "CERTIFICATE" {
		return fmt.Errorf("%w: signer is a certificate with more after it", ErrUnsupported)
	}
	if !bytes.Equal(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}), file) {
		return errors.New("its public key is not one PEM block in canonical form")
	}
	return c.parseBlock(block)
}

func (c *Claim) parseBlock(block *pem.Block) error {
	switch block.Type {
	case "CERTIFICATE":
		return c.parseCertificate(block.Bytes)
	case "PUBLIC KEY":
		return c.parseKey(block.Bytes)
	}
	return fmt.Errorf("%w: signer is a PEM %.40q", ErrUnsupported, block.Type)
}

func (c *Claim) parseCertificate(der []byte) (err error) {
	if c.Certificate, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	c.Key, err = keys.NewPublic(c.Certificate.PublicKey)
	return err
}

func (c *Claim) parseKey(der []byte) error {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	c.Key, err = keys.NewPublic(key)
	return err
}
