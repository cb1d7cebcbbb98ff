package report

import (
	"fmt"
	"time"

	"github.com/modseal/modseal/verify"
)

// trust says by which TUF root the logs and authorities are trusted, and when
// the chain led away from the one that is pinned.
func (t *text) trust(r *verify.TrustReport) {
	if r == nil {
		return
	}
	of := "the bundle's"
	if r.Chain == "enclave" {
		of = "your own"
	}
	as := "the bundle's time"
	if r.Given {
		as = "the time you gave"
	}
	t.printf("trust    TUF root %d (%s)", r.PinnedVersion, r.Pinned)
	if r.Moved {
		t.printf(", %s by %s chain", t.paint(yellow, fmt.Sprintf("moved to root %d", r.RootVersion)), of)
	} else {
		t.printf(", unmoved by %s chain", of)
	}
	t.printf(", as of %s (%s)\n", r.At.Format(time.RFC3339), as)
}
