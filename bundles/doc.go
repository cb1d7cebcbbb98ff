// Package bundles reads and writes the file that crosses the gap: *.modseal.
//
//	deps.modseal                     tar
//	├── signatures/0.sigstore.json   seals: Sigstore bundles over payload.tar.zst
//	└── payload.tar.zst              zstd-compressed canonical tar
//	    ├── manifest.json            Manifest
//	    ├── logs/N/checkpoint        the log's signed tree head
//	    ├── logs/N/consistency.jsonl proofs from trees that were seen earlier, perhaps
//	    ├── logs/N/multiproof        merkle.Multiproof of all entries, binary
//	    ├── logs/N/entries.jsonl     the entries, one JSON object a line
//	    ├── trust/…                  TUF metadata chain and trusted_root.json, perhaps
//	    ├── listings/HEX             Hash1 pre-image whose SHA-256 is HEX
//	    ├── cache/download/…         the modules' files as a file:// GOPROXY has them, perhaps
//	    └── cache/download/sumdb/…   tiles of the checksum database, for the go command itself, perhaps
//
// docs/format.md is the specification. The package authenticates first and
// parses later: Open hands no byte of the payload to the decompressor before a
// seal over exactly these bytes has been accepted by the caller's SealVerifier.
//
// It knows no network and no policy. What Open returns is what the sealer
// sealed, well formed; that a checkpoint is signed by its log, that a multiproof
// leads to its root and that an entry means anything is for package verify.
package bundles

import "errors"

// Errors of Open and its relatives. Each means that the bundle can't be
// trusted; errors that match none of them come from reading the file.
var (
	// ErrUnsealed says that no seal was accepted.
	ErrUnsealed = errors.New("not sealed by a trusted sealer")
	// ErrDamaged says that the bytes are not a well-formed bundle.
	ErrDamaged = errors.New("damaged bundle")
	// ErrVersion says that the bundle has a format version unknown here.
	ErrVersion = errors.New("unknown bundle format")
)

// Names inside the two archives.
const (
	PayloadName  = "payload.tar.zst"
	ManifestName = "manifest.json"
	MediaType    = "application/vnd.modseal.manifest.v1+json"
)
