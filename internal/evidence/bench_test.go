package evidence_test

import (
	"testing"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/testlog"
)

// BenchmarkVerify verifies one entry of each kind, by a bare key and by a certificate.
func BenchmarkVerify(b *testing.B) {
	for _, kind := range kinds() {
		for _, name := range []string{"key", "certificate"} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				alice := testlog.NewSigner("alice")
				s := newSite(b, alice)
				by := alice
				if name == "certificate" {
					by = s.holder()
				}
				e := s.honest(kind, by)
				v, err := evidence.NewVerifier(s.trust, s.known...)
				if err != nil {
					b.Fatal(err)
				}
				c, err := e.Claim()
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := v.Verify(e, c); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
