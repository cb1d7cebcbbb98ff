package sign

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/modseal/modseal/internal/fetch"
)

// Audience is what an OpenID Connect token must be for, so that a Fulcio takes
// it.
const Audience = "sigstore"

const maxToken = 64 << 10 // bytes

// FixedToken is a token that somebody got elsewhere.
func FixedToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		t := strings.TrimSpace(token)
		if t == "" {
			return "", errNoToken
		}
		return t, nil
	}
}

// GitHubToken asks GitHub for the token of the workflow that runs
// (https://docs.github.com/en/actions/reference/security/oidc): endpoint is
// $ACTIONS_ID_TOKEN_REQUEST_URL, bearer is $ACTIONS_ID_TOKEN_REQUEST_TOKEN.
func GitHubToken(endpoint, bearer string, transport http.RoundTripper) func(context.Context) (string, error) {
	transport = orUsual(transport)
	return func(ctx context.Context) (string, error) {
		u, err := url.Parse(endpoint)
		if err != nil {
			return "", err
		}
		q := u.Query()
		q.Set("audience", Audience)
		u.RawQuery = q.Encode()
		client := fetch.New(fetch.Options{UserAgent: "modseal", HTTP: &http.Client{Transport: authorized{bearer, transport}}})
		resp, err := client.Do(ctx, fetch.Request{URL: u.String(), Kind: "token", MaxBytes: maxToken})
		if err != nil {
			return "", err
		}
		var answer struct {
			Value string `json:"value"`
		}
		if err := json.Unmarshal(resp.Body, &answer); err != nil || answer.Value == "" {
			return "", fmt.Errorf("%s%s gave none", u.Host, u.Path)
		}
		return answer.Value, nil
	}
}

// authorized adds a bearer token to each request.
type authorized struct {
	bearer string
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+a.bearer)
	return a.next.RoundTrip(r)
}
