package verify_test

import (
	"testing"

	"github.com/modseal/modseal/bundles"
)

// payloadOf is what a bundle holds, to be changed and sealed again.
func payloadOf(t testing.TB, b *bundles.Bundle) *bundles.Payload {
	t.Helper()
	listings := map[string][]byte{}
	if err := b.Listings(nil, func(digest string, listing []byte) error {
		listings[digest] = listing
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return &bundles.Payload{Manifest: b.Manifest, Logs: b.Logs, Trust: b.Trust, Listing: func(digest string) ([]byte, error) { return listings[digest], nil }}
}
