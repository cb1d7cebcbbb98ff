package trust

import "github.com/sigstore/sigstore-go/pkg/tuf"

// PublicGoodTUFRoot is the root.json of Sigstore's public-good TUF repository as
// built in, version 14.
//
// A built-in root is never replaced by a newer one: every later root can be
// reached from it, while the bundles of today could not be walked from a root
// that came after them. sigstore-go carries it and may one day carry a later
// one; a test knows it by its digest.
func PublicGoodTUFRoot() []byte { return tuf.DefaultRoot() }

// StagingTUFRoot is the root.json of Sigstore's staging TUF repository as built
// in, version 13. Nothing trusts it unless it is asked for.
func StagingTUFRoot() []byte { return tuf.StagingRoot() }

// PublicGoodTrustedRoot is the trusted_root.json that AddPublicGood reads.
func PublicGoodTrustedRoot() []byte { return publicGood }
