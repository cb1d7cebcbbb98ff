package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/sign"
	"github.com/modseal/modseal/internal/trust"
	"github.com/modseal/modseal/snapshot"
)

const (
	publicFulcioURL = "https://fulcio.sigstore.dev"

	// tokenVariable holds a token for who signs without a key, as for cosign.
	tokenVariable = "SIGSTORE_ID_TOKEN"
	// Where GitHub Actions hands out the token of the workflow that runs.
	gitHubTokenURL    = "ACTIONS_ID_TOKEN_REQUEST_URL"
	gitHubTokenBearer = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

	maxTokenFile = 64 << 10 // bytes
)

// signingFlags say where signatures are logged and stamped, and where somebody
// without a key gets certificates.
type signingFlags struct {
	SigningConfig      string   `placeholder:"FILE" help:"signing_config.json that names Fulcio, Rekor and timestamp authorities, for what no flag says."`
	FulcioURL          string   `name:"fulcio-url" placeholder:"URL" help:"Fulcio that issues the certificates of who signs without a key (default: Sigstore's public one, with its public Rekor)."`
	IdentityToken      string   `placeholder:"TOKEN|FILE" help:"OpenID Connect token of who signs without a key, or a file that holds it. Default: $$SIGSTORE_ID_TOKEN, or the token of the GitHub workflow that runs."`
	TimestampServerURL []string `name:"timestamp-server-url" placeholder:"URL" sep:"none" help:"RFC 3161 timestamp authority to have signatures stamped by. Repeatable. A Rekor v2 needs one."`
	RekorVersion       int      `enum:"0,1,2" default:"0" placeholder:"1|2" help:"Version of the Rekor that signatures are logged in (default: the server is asked)."`
}

// keyless is who signs without a key.
func (f *signingFlags) keyless(p *Process, rekorURL, prefix string) (sign.Signer, error) {
	fulcio := f.FulcioURL
	if fulcio == "" {
		if !snapshot.PublicRekor(rekorURL) {
			return nil, usagef("who issues certificates? name your Fulcio with --%sfulcio-url: the public one is meant for the public Rekor", prefix)
		}
		fulcio = publicFulcioURL
	}
	token, err := f.token(p, prefix)
	if err != nil {
		return nil, err
	}
	return &sign.Keyless{Fulcio: fulcio, Token: token, Now: p.Now}, nil
}

// token is where tokens come from: the flag, the environment, the workflow.
func (f *signingFlags) token(p *Process, prefix string) (func(context.Context) (string, error), error) {
	given := cmp.Or(f.IdentityToken, p.Getenv(tokenVariable))
	if given != "" {
		if isToken(given) {
			return sign.FixedToken(given), nil
		}
		file, err := limit.ReadFile(p.path(given), maxTokenFile)
		if err != nil {
			// what was given may be a secret: it is not repeated
			return nil, usagef("the identity token is neither a token nor a file that can be read")
		}
		return sign.FixedToken(string(file)), nil
	}
	if url, bearer := p.Getenv(gitHubTokenURL), p.Getenv(gitHubTokenBearer); url != "" && bearer != "" {
		return sign.GitHubToken(url, bearer, nil), nil
	}
	return nil, usagef("who signs? give a key, or an identity token with --%sidentity-token or $%s", prefix, tokenVariable)
}

// isToken tells a token (RFC 7519: three parts, of which the first is a JSON
// object in base64) from the name of a file.
func isToken(s string) bool { return strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2 }

// service opens the log, which must be trusted, and makes what signs.
func (f *signingFlags) service(ctx context.Context, signer sign.Signer, rekorURL string, m *trust.Material, ui *phases) (*sign.Service, error) {
	log, err := sign.OpenLog(ctx, sign.LogOptions{
		URL: rekorURL, Version: f.RekorVersion, Trust: m,
		Fetch: fetch.New(fetch.Options{UserAgent: "modseal", Notify: ui.retry}),
	})
	if err != nil {
		return nil, &snapshot.RekorError{URL: rekorURL, Err: err}
	}
	s, err := sign.New(sign.Options{Signer: signer, Log: log, Timestamps: f.TimestampServerURL, Trust: m})
	if err != nil {
		return nil, &usageError{err}
	}
	return s, nil
}

// said tells a signer without a key as whom it signs, which takes a certificate.
func said(ctx context.Context, p *Process, quiet bool, s *sign.Service) error {
	c, err := s.Credential(ctx)
	if err != nil {
		return err
	}
	if !quiet && c.Certificate != nil {
		fmt.Fprintf(p.Stderr, "modseal: signing as %s\n", c.Name())
	}
	return nil
}
