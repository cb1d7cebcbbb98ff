// Package keyless signs as a user of Sigstore does who has no key: with a certificate for an e-mail address, which the
// servers of package stack give out, a timestamp, and entries in their logs. It is sigstore-go's signer, told where
// they are.
package keyless

import (
	"context"
	"errors"
	"time"

	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modseal/modseal/e2e/stack"
)

// serverLimit is how long one server may take. An entry of Rekor v2 waits for a checkpoint.
const serverLimit = 2 * time.Minute

// StatementType is the payload type of in-toto statements.
const StatementType = "application/vnd.in-toto+json"

// Request says what to sign, as whom, and where to log it.
type Request struct {
	Rekor *stack.Rekor // started with stack.Options.Sigstore
	// Artifact is signed as it is; Statement is a statement of in-toto, signed in a DSSE envelope. One of them is set.
	Artifact, Statement []byte
	Email               string
	Claims              map[string]any // beside the address: see [stack.Sigstore.Token]
	// V1 and V2 log the signature in Rekor v1 and Rekor v2.
	V1, V2 bool
	// Intoto logs a statement in Rekor v1 as an intoto 0.0.2, beside what V1 logs it as: a dsse 0.0.1.
	Intoto bool
	// NoTimestamp leaves out the timestamp, which an entry in Rekor v2 can't be verified without.
	NoTimestamp bool
}

// Sign returns a Sigstore bundle as JSON.
func Sign(ctx context.Context, r Request) ([]byte, error) {
	servers := r.Rekor.Sigstore
	if servers == nil {
		return nil, errors.New("keyless: Rekor was started without the rest of Sigstore")
	}
	token, err := servers.Token(ctx, r.Email, r.Claims)
	if err != nil {
		return nil, err
	}
	keypair, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, err
	}
	var content sign.Content = &sign.PlainData{Data: r.Artifact}
	if r.Statement != nil {
		content = &sign.DSSEData{Data: r.Statement, PayloadType: StatementType}
	}
	options := sign.BundleOptions{
		Context:                    ctx,
		CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: servers.FulcioURL, Timeout: serverLimit}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: token},
	}
	if !r.NoTimestamp {
		options.TimestampAuthorities = []*sign.TimestampAuthority{
			sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: servers.TSAURL, Timeout: serverLimit}),
		}
	}
	for _, log := range []struct {
		wanted  bool
		url     string
		version uint32
	}{{r.V1, r.Rekor.URL, 1}, {r.V2, servers.RekorV2URL, 2}} {
		if log.wanted {
			options.TransparencyLogs = append(options.TransparencyLogs, sign.NewRekor(&sign.RekorOptions{
				BaseURL: log.url, Version: log.version, Timeout: serverLimit,
			}))
		}
	}
	if r.Intoto {
		options.TransparencyLogs = append(options.TransparencyLogs, &intotoLog{r.Rekor.URL})
	}
	bundle, err := sign.Bundle(content, keypair, options)
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(bundle)
}
