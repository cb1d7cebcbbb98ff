// Package modhash hashes what a build would read: module zips and unpacked module trees.
//
// A module is hashed in two ways. The zip digest is the SHA-256 of the zip's bytes. The h1 is Go's Hash1, as in go.sum
// and in the checksum database: the SHA-256 of a listing, which has one line for each file,
//
//	<SHA-256 of the content, 64 lower-case hex digits>  <path>@<version>/<file>\n
//
// sorted by file name. The listing is kept, not only its hash: whoever proves the h1 has proven every line of it, so
// a copy of any part of the module (a vendored package, one changed file) can be judged by it.
//
// [Hasher.Zip] and [Hasher.Tree] accept only what the go command accepts (golang.org/x/mod/zip: names, sizes,
// duplicates, collisions) and refuse what would make the hash ambiguous, which golang.org/x/mod/sumdb/dirhash doesn't:
// it hashes one of two entries of a zip that have the same name, and follows symbolic links out of a tree. They are
// stricter than the go command in what follows:
//
//   - A zip with an entry for a directory is refused: the entry would count for the h1 of the zip, and never for the
//     h1 of its unpacked tree. So is an entry whose mode is not that of a regular file.
//   - A zip or a tree without a single file is refused: its h1 would be that of every such module.
//   - The number of entries, the size of a zip's directory and the depth of folders have limits ([MaxEntries],
//     [MaxDirectory], [MaxDepth]), and the entries of a zip may not overlap: together they have no more compressed
//     bytes than the zip.
//
// Content is read with the standard library's archive/zip and inflater because the go command does: two decoders that
// disagree about one zip would be worth more to an attacker than the 10–20 % of time that a faster one saves.
//
// The package does not know what a module should hash to, or where its files are. It opens no network connection,
// starts no process and makes no file: [Hasher.CopyTree], [Hasher.CopyZip] and [Hasher.Unzip] write by the same rules and
// under the same limits into files that their caller makes.
package modhash

// Limits. What is exactly at a limit passes; one more is refused. The sizes are those of golang.org/x/mod/zip.
const (
	MaxZip       = 500 << 20 // bytes of a zip
	MaxContent   = 500 << 20 // bytes of all files of a module
	MaxGoMod     = 16 << 20  // bytes of the file go.mod at the root of a module
	MaxLicense   = 16 << 20  // bytes of the file LICENSE at the root of a module
	MaxListing   = 64 << 20  // bytes of a listing
	MaxEntries   = 1 << 17   // files of a zip or a listing; files and folders of a tree
	MaxDirectory = 16 << 20  // bytes of a zip's central directory; bytes of all names of a tree
	MaxDepth     = 200       // folders in folders below the root of a module
)
