// Package attest signs modules and logs the signatures in a Rekor. Of each
// module either
//
//   - two artifacts are signed, the zip and the listing (hashedrekord), so that
//     the zip, the unpacked tree and a vendored copy can all be proven by the log
//     alone; or
//   - one in-toto statement, which carries both digests ([Statement]). The log has
//     only its hash, so the Sigstore bundle must be kept.
//
// The Sigstore bundles are kept in a folder. What is in it, or can be found in
// the log, is not logged again, so that attesting goes on where it was
// interrupted.
package attest

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/atomicfile"
	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/keys"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/internal/modhash"
	"github.com/modseal/modseal/internal/sign"
)

// Options say how an [Attester] works.
type Options struct {
	Sign      *sign.Service
	Statement bool   // sign a statement in place of zip and listing
	Dir       string // where the Sigstore bundles are kept
}

// Attester attests modules. It is safe for concurrent use for different ones.
type Attester struct{ Options }

// New makes an attester.
func New(o Options) *Attester { return &Attester{o} }

// CheckKey refuses a key that can't sign what others search for: an Ed25519 key
// signs SHA-512 digests in Rekor, which nobody looks up. A statement it can
// sign.
func CheckKey(k *keys.Public, statement bool) error {
	if k.Hash() != crypto.SHA256 && !statement {
		return fmt.Errorf("%w: an Ed25519 key signs SHA-512 digests in Rekor, which nobody looks up; attest with an ECDSA P-256 key, or with --statement", keys.ErrUnsupported)
	}
	return nil
}

// Attestation is one logged signature.
type Attestation struct {
	Of       string // zip, listing or statement
	File     string // with the Sigstore bundle
	LogIndex uint64
	Existed  bool // it was logged before
}

// job is one signature to make.
type job struct {
	of      string
	content sign.Content
}

func (a *Attester) jobs(m module.Version, z *modhash.ZipResult) ([]job, error) {
	h1 := z.Listing.H1()
	if !a.Statement {
		return []job{{"zip", sign.Content{SHA256: z.Digest}}, {"listing", sign.Content{SHA256: h1}}}, nil
	}
	s, err := Statement(m, z.Digest, h1)
	return []job{{"statement", sign.Content{Statement: s}}}, err
}

// Module attests a module whose zip has been hashed and checked, and writes the
// Sigstore bundles. A file that is there must be of the same signer and content,
// and must verify: no other is ever overwritten.
func (a *Attester) Module(ctx context.Context, m module.Version, z *modhash.ZipResult) ([]Attestation, error) {
	if got := z.Listing.Module(); got != m {
		return nil, fmt.Errorf("the zip is of %s", got)
	}
	jobs, err := a.jobs(m, z)
	if err != nil {
		return nil, err
	}
	out := make([]Attestation, len(jobs))
	missing := make([]bool, len(jobs))
	for i, j := range jobs { // all files, before anything is logged
		out[i].Of = j.of
		if out[i].File, err = a.file(m, j.of); err != nil {
			return nil, err
		}
		switch s, err := a.read(ctx, out[i].File, j); {
		case errors.Is(err, fs.ErrNotExist):
			if err := atomicfile.Writable(filepath.Dir(out[i].File)); err != nil {
				return nil, err // what is logged stays there for ever
			}
			missing[i] = true
		case err != nil:
			return nil, err
		default:
			out[i].LogIndex, out[i].Existed = s.LogIndex, true
		}
	}
	for i, j := range jobs {
		if !missing[i] {
			continue
		}
		s, err := a.log(ctx, j)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", j.of, m, err)
		}
		out[i].LogIndex, out[i].Existed = s.LogIndex, s.Existed
		if err := write(out[i].File, s.Sigstore); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// log finds this signer's signature in the log, or makes one.
func (a *Attester) log(ctx context.Context, j job) (*sign.Signed, error) {
	s, err := a.Sign.Find(ctx, j.content)
	if s != nil || err != nil {
		return s, err
	}
	return a.Sign.Sign(ctx, j.content)
}

// read verifies a Sigstore bundle that is there already.
func (a *Attester) read(ctx context.Context, name string, j job) (*sign.Signed, error) {
	file, err := limit.ReadFile(name, evidence.MaxPublished)
	if err != nil {
		return nil, err
	}
	s, err := a.Sign.Read(ctx, file, j.content)
	if err != nil {
		return nil, fmt.Errorf("%s is there and is not overwritten: %w\nmove it away, or keep what you attest in another folder (-o)", name, err)
	}
	return s, nil
}

func write(name string, file []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteBytes(name, file)
}

// file is DIR/path@version.zip.sigstore.json, or .listing. or .statement. in
// place of .zip., with path and version escaped as in the module cache.
func (a *Attester) file(m module.Version, of string) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	return filepath.Join(a.Dir, filepath.FromSlash(path)+"@"+version+"."+of+".sigstore.json"), nil
}
