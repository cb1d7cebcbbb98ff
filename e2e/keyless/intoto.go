package keyless

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/rekor/pkg/client"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/tle"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/rekor/pkg/types/intoto"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2" // registers itself
)

// intotoLog logs statements as Sigstore's clients did before Rekor had the kind dsse. It implements [sign.Transparency].
type intotoLog struct {
	url string
}

// GetTransparencyLogEntry adds an entry to a bundle.
func (l *intotoLog) GetTransparencyLogEntry(ctx context.Context, certificate []byte, b *protobundle.Bundle) error {
	if b.GetDsseEnvelope() == nil {
		return errors.New("keyless: only statements are logged as intoto")
	}
	envelope, err := json.Marshal(b.GetDsseEnvelope())
	if err != nil {
		return err
	}
	proposed, err := types.NewProposedEntry(ctx, intoto.KIND, "0.0.2", types.ArtifactProperties{
		ArtifactBytes: envelope, PublicKeyBytes: [][]byte{certificate},
	})
	if err != nil {
		return err
	}
	rekor, err := client.GetRekorClient(l.url)
	if err != nil {
		return err
	}
	params := entries.NewCreateLogEntryParams().WithTimeout(serverLimit).WithProposedEntry(proposed)
	created, err := rekor.Entries.CreateLogEntryContext(ctx, params)
	if err != nil {
		return fmt.Errorf("keyless: log as intoto: %w", err)
	}
	entry, err := tle.GenerateTransparencyLogEntry(created.Payload[created.ETag])
	if err != nil {
		return err
	}
	b.VerificationMaterial.TlogEntries = append(b.VerificationMaterial.TlogEntries, entry)
	return nil
}
