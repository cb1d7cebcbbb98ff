package bundles

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/modseal/modseal/internal/limit"
)

// Limits of the trust chain. Each is the largest value that is accepted.
const (
	MaxTrustFiles = 260       // files in trust/
	MaxTrustFile  = 5_000_000 // bytes of one of them
	MaxTrustBytes = 16 << 20  // bytes of all of them together
)

const trustFolder = "trust/"

// isTrust tells a file of the trust chain from all others, whatever its name is
// worth.
func isTrust(f File) bool { return strings.HasPrefix(f.Name, trustFolder) }

// checkTrustName demands trust/NAME or trust/targets/NAME. What a chain is made
// of is for who walks it: here they are bytes that must have a canonical place.
func checkTrustName(name string) error {
	base := strings.TrimPrefix(strings.TrimPrefix(name, trustFolder), "targets/")
	ok := strings.HasPrefix(name, trustFolder) && base != "" && len(base) <= 100 && base[0] != '.' &&
		strings.Trim(base, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
	if !ok {
		return fmt.Errorf("%w: %.140q is no name of a trust file", ErrDamaged, name)
	}
	return nil
}

// checkTrust demands names and sizes that a reader accepts.
func checkTrust(files []File, lim limits) error {
	if err := over("files in trust/", int64(len(files)), int64(lim.trustFiles), "files"); err != nil {
		return err
	}
	left := lim.trustBytes
	for _, f := range files {
		if err := checkTrustName(f.Name); err != nil {
			return err
		}
		if f.Size < 0 {
			return fmt.Errorf("%w: manifest: file %.80q of %d bytes", ErrDamaged, f.Name, f.Size)
		}
		if err := over(f.Name, f.Size, lim.trustFile, "bytes"); err != nil {
			return err
		}
		if f.Size > left {
			return over("all files in trust/", lim.trustBytes+1, lim.trustBytes, "bytes")
		}
		left -= f.Size
	}
	return nil
}

// trust reads the trust chain, which follows the logs.
func (p *payloadReader) trust(files []File) (map[string][]byte, error) {
	if err := checkTrust(files, p.lim); err != nil {
		return nil, err
	}
	var out map[string][]byte
	for _, f := range files {
		var data []byte
		err := p.listedFile(f, p.lim.trustFile, func(r io.Reader) (err error) {
			data, err = limit.ReadAll(r, f.Name, p.lim.trustFile)
			return err
		})
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = map[string][]byte{}
		}
		out[strings.TrimPrefix(f.Name, trustFolder)] = data
	}
	return out, nil
}

// addTrust lists the trust chain in the manifest and adds it to the contents.
func (p *Payload) addTrust(contents map[string][]byte, lim limits) error {
	var files []File
	for _, name := range slices.Sorted(maps.Keys(p.Trust)) {
		data := p.Trust[name]
		sum := sha256.Sum256(data)
		files = append(files, File{Name: trustFolder + name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
		contents[trustFolder+name] = data
	}
	p.Manifest.Files = append(p.Manifest.Files, files...)
	return checkTrust(files, lim)
}
