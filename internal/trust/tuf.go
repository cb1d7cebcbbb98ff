package trust

import _ "embed"

// publicGoodRoot and stagingRoot are the TUF roots of Sigstore's public-good and
// staging instances, versions 14 and 13: pkg/tuf/repository/root.json and
// staging_root.json of github.com/sigstore/sigstore-go v1.3.0, unchanged.
//
// A pinned root is never replaced by a newer one here: every later root can be
// reached from it, while the bundles of today could not be walked from a root
// that came after them.
var (
	//go:embed publicgood/root.json
	publicGoodRoot []byte
	//go:embed staging/root.json
	stagingRoot []byte
)

// PublicGoodTUFRoot is the root.json of Sigstore's public-good TUF repository as
// built in.
func PublicGoodTUFRoot() []byte { return publicGoodRoot }

// StagingTUFRoot is the root.json of Sigstore's staging TUF repository as built
// in. Nothing trusts it unless it is asked for.
func StagingTUFRoot() []byte { return stagingRoot }

// PublicGoodTrustedRoot is the trusted_root.json that AddPublicGood reads.
func PublicGoodTrustedRoot() []byte { return publicGood }
