//go:build rekorstack

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/modseal/modseal/e2e/stack"
)

const (
	oidcKeyID    = "modseal-e2e"
	tokenLife    = 10 * time.Minute
	maxTokenBody = 1 << 16 // bytes
)

// issuer is the OpenID Connect issuer of the tests: discovery, its one key, and a token with any claims for whoever asks.
type issuer struct {
	url    string
	key    *ecdsa.PrivateKey
	signer jose.Signer
}

func startIssuer() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: oidcKeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	i := &issuer{key: key, signer: signer}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("POST "+stack.TokenPath, i.token)
	i.url, err = serve(mux)
	return i, err
}

// discovery answers as OpenID Connect Discovery 1.0, section 4.2, says.
func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"issuer":                                i.url,
		"jwks_uri":                              i.url + "/keys",
		"authorization_endpoint":                i.url + "/auth",
		"token_endpoint":                        i.url + stack.TokenPath,
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{string(jose.ES256)},
	})
}

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &i.key.PublicKey, KeyID: oidcKeyID, Algorithm: string(jose.ES256), Use: "sig"},
	}})
}

// token signs the claims that are posted as a JSON object; those of the issuer, the audience and the times, where they
// are missing, are what Fulcio expects.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	claims := map[string]any{
		"iss": i.url, "aud": stack.TokenAudience,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenBody))
	if err == nil {
		err = json.Unmarshal(body, &claims)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	token, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	io.WriteString(w, token)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
