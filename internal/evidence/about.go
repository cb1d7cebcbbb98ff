package evidence

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/modseal/modseal/bundles"
)

// How the bodies begin that sign an artifact, in their one canonical form.
const (
	beginV1 = `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"`
	thenV1  = `","value":"`
	beginV2 = `{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"`
	thenV2  = `","digest":"`
)

// MayBeAbout finds out of an entry of a Rekor log what it may be about, without
// reading the rest: neither signature, key nor certificate. If the entry has a
// claim, these are all of Claim.Digests, and none of it else counts.
func MayBeAbout(l *bundles.Log, e *bundles.Entry) []Digest {
	if e.Envelope != nil {
		s, err := parseStatement(e.Envelope)
		if err != nil {
			return nil
		}
		return s.digests()
	}
	begin, then := beginV1, thenV1
	if l.Kind == bundles.RekorV2 {
		begin, then = beginV2, thenV2
	}
	rest, ok := strings.CutPrefix(e.Leaf, begin)
	if !ok {
		return nil
	}
	algorithm, rest, _ := strings.Cut(rest, then)
	value, _, _ := strings.Cut(rest, `"`)
	if l.Kind == bundles.RekorV2 {
		sum, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil
		}
		algorithm, value = algorithmsV2[algorithm], hex.EncodeToString(sum)
	}
	d, err := newDigest(algorithm, value)
	if err != nil {
		return nil
	}
	return []Digest{d}
}

// RecordKey is what a record of a checksum database begins with, for the module in
// question. A leaf that begins otherwise is no record of it.
func RecordKey(path, version string) string { return path + " " + version }

// RecordKeyOf is the RecordKey that a leaf begins with, whatever comes after it; ""
// if it begins with none.
func RecordKeyOf(leaf string) string {
	path, rest, ok := strings.Cut(leaf, " ")
	version, _, more := strings.Cut(rest, " ")
	if !ok || !more {
		return ""
	}
	return leaf[:len(path)+1+len(version)]
}
