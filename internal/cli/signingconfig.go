package cli

import (
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/modseal/modseal/internal/limit"
)

const maxSigningConfig = 1 << 20 // bytes

// configure fills in what no flag says from a signing config: the newest service
// of the highest version that is in use now. Then what is left is as the flags'
// defaults have it.
func (f *signingFlags) configure(p *Process, rekorURL *string) error {
	if f.SigningConfig == "" {
		return nil
	}
	file, err := limit.ReadFile(p.path(f.SigningConfig), maxSigningConfig)
	if err != nil {
		return &usageError{err}
	}
	c, err := root.NewSigningConfigFromJSON(file)
	if err != nil {
		return usagef("%s: %w", f.SigningConfig, err)
	}
	if err := f.configureFrom(c, rekorURL, p.Now()); err != nil {
		return usagef("%s: %w", f.SigningConfig, err)
	}
	return nil
}

func (f *signingFlags) configureFrom(c *root.SigningConfig, rekorURL *string, now time.Time) error {
	if *rekorURL == "" {
		versions := []uint32{1, 2}
		if f.RekorVersion != 0 {
			versions = []uint32{uint32(f.RekorVersion)}
		}
		s, err := root.SelectService(c.RekorLogURLs(), versions, now)
		if err != nil {
			return err
		}
		*rekorURL, f.RekorVersion = s.URL, int(s.MajorAPIVersion)
	}
	if len(f.TimestampServerURL) == 0 && len(c.TimestampAuthorityURLs()) > 0 {
		list, err := root.SelectServices(c.TimestampAuthorityURLs(), c.TimestampAuthorityURLsConfig(), []uint32{1}, now)
		if err != nil {
			return err
		}
		for _, s := range list {
			f.TimestampServerURL = append(f.TimestampServerURL, s.URL)
		}
	}
	if f.FulcioURL == "" && len(c.FulcioCertificateAuthorityURLs()) > 0 {
		s, err := root.SelectService(c.FulcioCertificateAuthorityURLs(), []uint32{1}, now)
		if err != nil {
			return err
		}
		f.FulcioURL = s.URL
	}
	return nil
}
