package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
)

const (
	// TokenPath is where the issuer signs the claims that are posted to it.
	TokenPath = "/token"
	// TokenAudience is the audience that Fulcio wants tokens to be for.
	TokenAudience = "sigstore"
)

// Files in the folder sigstore of [Options].Dir.
const (
	TrustedRootName   = "trusted_root.json"
	SigningConfigName = "signing_config.json"
)

// Sigstore is what [Options].Sigstore starts beside Rekor v1. Keys, certificates and logs are new at each start. URLs
// have no slash at their end.
type Sigstore struct {
	// IssuerURL is the OpenID Connect issuer, which [Sigstore.Token] asks for tokens.
	IssuerURL string `json:"issuerURL"`
	// FulcioURL takes tokens of the issuer (HTTP API version 2). A certificate names the token's e-mail address and
	// carries a timestamp of the log at CTLogURL.
	FulcioURL string `json:"fulcioURL"`
	CTLogURL  string `json:"ctLogURL"`
	// TSAURL takes requests for timestamps (RFC 3161).
	TSAURL string `json:"tsaURL"`
	// RekorV2URL takes entries, and serves /checkpoint and /tile/ to readers.
	RekorV2URL string `json:"rekorV2URL"`
	// TrustedRootPath is trusted_root.json, of media type 0.1, which names all of the above and Rekor v1.
	TrustedRootPath string `json:"trustedRoot"`
	// SigningConfigPath is signing_config.json, of media type 0.2, with Rekor v1 and Rekor v2, any of which will do.
	SigningConfigPath string `json:"signingConfig"`
}

// complete reports whether every field is set.
func (s *Sigstore) complete() bool {
	return s.IssuerURL != "" && s.FulcioURL != "" && s.CTLogURL != "" && s.TSAURL != "" && s.RekorV2URL != "" &&
		s.TrustedRootPath != "" && s.SigningConfigPath != ""
}

// Token returns a token of the issuer for an e-mail address, which is the subject as well. Claims are added, or replace
// those that there are: "email_verified": false makes a token that Fulcio refuses, "exp" an old one.
func (s *Sigstore) Token(ctx context.Context, email string, claims map[string]any) (string, error) {
	all := map[string]any{"sub": email, "email": email, "email_verified": true}
	maps.Copy(all, claims)
	body, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.IssuerURL+TokenPath, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	token, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST %s: %s: %s", req.URL, resp.Status, token)
	}
	return strings.TrimSpace(string(token)), err
}
