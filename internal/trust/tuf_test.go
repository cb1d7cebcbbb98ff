package trust_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/modseal/modseal/internal/trust"
)

// A root that an upgrade of sigstore-go replaced would refuse the bundles that
// start from the one before. When this fails, keep the old file and embed it.
func TestBuiltInTUFRoots(t *testing.T) {
	for _, root := range []struct {
		name, want string
		data       []byte
	}{
		{"public-good, version 14", "a0dfcc5d51c1ce4a66b541a3fff0afa97225ccc40456b21140bb2e2f113122e2", trust.PublicGoodTUFRoot()},
		{"staging, version 13", "f0a8b825e7e504c36d2f4bac2c97b7a78b2abb152f3fd3b017496c20e031468e", trust.StagingTUFRoot()},
	} {
		sum := sha256.Sum256(root.data)
		if got := hex.EncodeToString(sum[:]); got != root.want {
			t.Errorf("%s: another root is built in: SHA-256 %s, want %s", root.name, got, root.want)
		}
	}
}
