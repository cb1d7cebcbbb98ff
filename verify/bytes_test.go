package verify_test

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/modseal/modseal/bundles"
)

type payload = bundles.Payload

func sha256sum(data []byte) [32]byte { return sha256.Sum256(data) }

func sha256Of(digest [32]byte) string { return "sha256:" + hex.EncodeToString(digest[:]) }

func hexOf(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
