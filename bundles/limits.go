package bundles

import (
	"fmt"
	"math"

	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/merkle"
)

// Limits of the format. Each is the largest value that is accepted.
const (
	MaxSeals      = 16        // seals in a bundle
	MaxSeal       = 256 << 10 // bytes of one seal
	MaxPayload    = 8<<30 - 1 // bytes of payload.tar.zst (what ustar can say)
	MaxManifest   = 512 << 20 // bytes of manifest.json
	MaxLogs       = 4096      // logs in a bundle, each at each tree size
	MaxModules    = 1 << 20   // modules in a bundle
	MaxArtifacts  = 1 << 16   // artifacts in a bundle
	MaxProjects   = 10_000    // projects that a bundle was made of
	MaxMains      = 10_000    // main modules of a workspace
	MaxModule     = 1 << 20   // bytes of one project, log, module or artifact in manifest.json
	MaxCheckpoint = 64 << 10  // bytes of a checkpoint
	MaxMultiproof = 512 << 20 // bytes of a multiproof
	MaxEarlier    = 4096      // consistency proofs of a log, each from an earlier size
	MaxEarlierAll = 16 << 20  // bytes of one consistency.jsonl
	MaxEntry      = 8 << 20   // bytes of one line of entries.jsonl, its newline included
	MaxEntries    = 512 << 20 // bytes of one entries.jsonl
	MaxLogBytes   = 1 << 30   // bytes of all files of all logs together
	MaxListing    = 64 << 20  // bytes of one listing
	MaxListings   = 32 << 30  // bytes of all listings together
	MaxInfo       = 4 << 10   // bytes of a module's metadata (.info)
	MaxGoMod      = 16 << 20  // bytes of a module's go.mod (.mod), as the go command has it
	MaxZip        = 500 << 20 // bytes of a module's zip, as the go command has it
	MaxCarried    = 8 << 30   // bytes of all module files together
	MaxTiles      = 1 << 17   // tiles of one log: 1 GiB
	MaxProject    = 4 << 20   // bytes of a project in manifest.json
	MaxTimestamps = 32        // time stamps of an entry

	// MaxLeaves is also how many entries all logs may have together.
	MaxLeaves = merkle.MaxLeaves

	maxWindow = 8 << 20 // bytes of history that a zstd frame may ask for

	// What decompresses to more than this, and to more than so many times its own
	// bytes beyond, is nothing but a burden.
	maxExpanded = 1 << 30 // bytes
	maxRatio    = 16
)

// Limits on what nobody trusted sealed: anybody can have made it, and reading it must
// not take more than 256 MiB of memory, whatever it is. Each is the largest value that
// is accepted.
const (
	MaxUnsealedManifest = 40 << 20 // bytes of manifest.json
	MaxUnsealedModules  = 1 << 18  // modules in a bundle
	MaxUnsealedLogBytes = 80 << 20 // bytes of all files of all logs together
	MaxUnsealedEntries  = 1 << 18  // entries of all logs together
	MaxUnsealedSigned   = 1 << 12  // entries of all Rekor logs together, and as many time stamps
	MaxUnsealedListing  = 32 << 20 // bytes of one listing
)

// limits are the same as values, so that tests can come close to them. Reader
// and writer keep to one set: what one refuses the other does not make.
type limits struct {
	seals, logs, modules, artifacts, projects, mains, leaves, allEntries, signed, earlier, timestamps, trustFiles, tiles int

	seal, payload, expanded, manifest, project, module, checkpoint, multiproof, earlierAll, entry, entries, logBytes, listing, listings, trustFile, trustBytes, info, goMod, zip, carried int64
}

func formatLimits() limits {
	return limits{
		seals: MaxSeals, logs: MaxLogs, modules: MaxModules, artifacts: MaxArtifacts, projects: MaxProjects, mains: MaxMains, leaves: MaxLeaves, allEntries: MaxLeaves, signed: math.MaxInt, earlier: MaxEarlier, timestamps: MaxTimestamps, trustFiles: MaxTrustFiles, tiles: MaxTiles,
		seal: MaxSeal, payload: MaxPayload, expanded: maxExpanded, manifest: MaxManifest, project: MaxProject, module: MaxModule, checkpoint: MaxCheckpoint, multiproof: MaxMultiproof, earlierAll: MaxEarlierAll,
		entry: MaxEntry, entries: MaxEntries, logBytes: MaxLogBytes, listing: MaxListing, listings: MaxListings,
		trustFile: MaxTrustFile, trustBytes: MaxTrustBytes, info: MaxInfo, goMod: MaxGoMod, zip: MaxZip, carried: MaxCarried,
	}
}

// unsealed are the limits on what nobody trusted sealed, of which so many are in
// memory at once. Listings are not kept there.
func (l limits) unsealed(among int) limits {
	l.manifest, l.modules = min(l.manifest, MaxUnsealedManifest/int64(among)), min(l.modules, MaxUnsealedModules/among)
	l.logBytes, l.allEntries = min(l.logBytes, MaxUnsealedLogBytes/int64(among)), min(l.allEntries, MaxUnsealedEntries/among)
	l.signed = min(l.signed, MaxUnsealedSigned/among)
	l.listing = min(l.listing, MaxUnsealedListing)
	return l
}

// over says that something is above its limit, if it is.
func over(what string, n, max int64, unit string) error {
	if n <= max {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrDamaged, &limit.Error{What: what, Max: max, Unit: unit})
}
