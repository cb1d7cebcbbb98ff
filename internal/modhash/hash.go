package modhash

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// A Digest is the SHA-256 of a zip's bytes.
type Digest [sha256.Size]byte

// String returns the digest as 64 lower-case hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// An H1 is Go's Hash1 of a module's content: the SHA-256 of its listing.
type H1 [sha256.Size]byte

const h1Prefix = "h1:"

// String returns the h1 as go.sum has it: "h1:" and base64.
func (h H1) String() string { return h1Prefix + base64.StdEncoding.EncodeToString(h[:]) }

// Hex returns the h1 as 64 lower-case hex digits, as statements (dirHash1) and hashedrekord entries have it.
func (h H1) Hex() string { return hex.EncodeToString(h[:]) }

// ParseH1 parses what [H1.String] returns, and nothing else: base64 has other spellings of the same bytes.
func ParseH1(s string) (H1, error) {
	var h H1
	// Decode may write up to three bytes more than there are, when the input is padded wrongly.
	var buf [sha256.Size + 3]byte
	if len(s) == len(h1Prefix)+base64.StdEncoding.EncodedLen(len(h)) {
		if n, err := base64.StdEncoding.Decode(buf[:], []byte(s[len(h1Prefix):])); err == nil && n == len(h) {
			copy(h[:], buf[:])
		}
	}
	if h.String() != s {
		return H1{}, fmt.Errorf("%s is not an h1: want %q and the base64 of 32 bytes", quote(s), h1Prefix)
	}
	return h, nil
}

// GoModH1 returns the h1 of a go.mod file, which go.sum and checksum databases record as "path version/go.mod h1:…".
func GoModH1(data []byte) H1 { return GoModH1FromFileHash(sha256.Sum256(data)) }

// GoModH1FromFileHash is [GoModH1] for who has the SHA-256 of the file, from a line of a listing for example.
func GoModH1FromFileHash(sum [sha256.Size]byte) H1 {
	const name = "go.mod" // no path@version/ before it
	return H1(sha256.Sum256(appendLine(nil, sum, "", name)))
}

func errZipSize(n int64) error {
	return &ContentError{Problem: fmt.Sprintf("zip has %d bytes or more; the limit is %d", n, int64(MaxZip))}
}

// appendLine appends the line of one file in a listing.
func appendLine(b []byte, sum [sha256.Size]byte, prefix, name string) []byte {
	b = hex.AppendEncode(b, sum[:])
	b = append(b, "  "...)
	b = append(b, prefix...)
	b = append(b, name...)
	return append(b, '\n')
}

// parseHex parses a SHA-256 in lower-case hex.
func parseHex(s string) (sum [sha256.Size]byte, ok bool) {
	if len(s) != hex.EncodedLen(len(sum)) {
		return sum, false
	}
	for i := range sum {
		hi, lo := hexDigit(s[2*i]), hexDigit(s[2*i+1])
		if hi > 15 || lo > 15 {
			return sum, false
		}
		sum[i] = hi<<4 | lo
	}
	return sum, true
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
