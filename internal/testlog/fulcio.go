package testlog

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fulcio issues certificates of an authority for whatever a token says (POST
// /api/v2/signingCert, by fulcio.proto in github.com/sigstore/fulcio). It does
// not verify tokens.
type Fulcio struct {
	CA  *CA
	Now func() time.Time // from when certificates are valid; nil is Epoch
	// Edit changes an answer before it is sent.
	Edit Hook[*http.Request]

	mu     sync.Mutex
	issued int
}

// Issued is how many certificates were issued.
func (f *Fulcio) Issued() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issued
}

// Token is one that a [Fulcio] takes.
func Token(email, issuer string) string {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))) }
	return part(object{"alg": "none"}) + "." + part(object{"sub": email, "email": email, "email_verified": true, "iss": issuer, "aud": "sigstore"}) + ".x"
}

// claims are read from a token's middle part.
func claims(token string) (email, issuer string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", "", fmt.Errorf("not a token")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", "", err
	}
	var c struct{ Email, Iss string }
	err = json.Unmarshal(data, &c)
	return c.Email, c.Iss, err
}

// ServeHTTP implements http.Handler.
func (f *Fulcio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := f.answer(r)
	f.Edit.change(r, a)
	a.send(w)
}

func (f *Fulcio) answer(r *http.Request) *Answer {
	var q struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Algorithm, Content string }
			ProofOfPossession []byte
		}
	}
	if r.Method != "POST" || r.URL.Path != "/api/v2/signingCert" || json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&q) != nil {
		return refusal(404, 5, "Not Found")
	}
	email, issuer, err := claims(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		return refusal(401, 16, "There was an error processing the identity token: %v", err)
	}
	block, _ := pem.Decode([]byte(q.PublicKeyRequest.PublicKey.Content))
	if block == nil {
		return refusal(400, 3, "The public key supplied in the request could not be parsed")
	}
	key, err := publicKeyOf(block)
	subject := sha256.Sum256([]byte(email))
	if err != nil || !ecdsa.VerifyASN1(key, subject[:], q.PublicKeyRequest.ProofOfPossession) {
		return refusal(400, 3, "The signature supplied in the request could not be verified")
	}
	from := Epoch()
	if f.Now != nil {
		from = f.Now()
	}
	f.mu.Lock()
	f.issued++
	f.mu.Unlock()
	return jsonAnswer(200, object{"signedCertificateEmbeddedSct": object{"chain": object{"certificates": []string{string(f.CA.issue(key, email, issuer, from))}}}})
}
