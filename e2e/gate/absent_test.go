package gate

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/faultproxy"
)

// closedURL is of a port that nothing listens on.
func closedURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// Without a Rekor there is no snapshot, unless it is asked for. What is then sealed is what the checksum database says.
func TestNoRekor(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.19.0")
	s.setenv("GOSUMDB", "sum.golang.org")
	s.rekor = closedURL(t)
	said := s.snapshot(2)
	s.says(said.stderr, "Rekor "+s.rekor+" can't be used", "connection refused", "tried 6 times", "hint: ", "--rekor-url=off")
	if said.stdout != "" {
		t.Errorf("without a bundle it says %q", said.stdout)
	}
	s.rekor = "off"
	s.says(s.snapshot(0).stdout, "1 module, 1 proven")
	s.allVerified(s.verify(0))
	s.status(s.verify(1, signedBy("signer")...), s.modules[0], "not-allowed", "checksum-database record")
}

// attest says what it could not do.
func TestAttestWithoutRekor(t *testing.T) {
	t.Parallel()
	s := newSite(t, "golang.org/x/sync@v0.20.0")
	s.rekor = closedURL(t)
	said := s.run(2, s.attestArgs("signer")...)
	s.says(said.stderr, "Rekor "+s.rekor+" can't be used", "connection refused", "again in", "tried 6 times", "hint: ")
	if said.stdout != "" {
		t.Errorf("nothing was attested, and it says %q", said.stdout)
	}
}

// A server that fails for one module, however often it is asked, fails the command, which names the module. The rest can be
// sealed if that is asked for, and what lacks is named.
func TestUnsearchable(t *testing.T) {
	t.Parallel()
	const good, bad = "rsc.io/sampler@v1.3.1", "github.com/pkg/errors@v0.8.1"
	base := newSite(t, good, bad)
	base.attest("signer")
	digest := fmt.Sprintf("%x", base.zipDigest(bad))
	hook := func(r faultproxy.Request) faultproxy.Fault {
		if r.Path == searchPath && strings.Contains(string(r.Body), digest) {
			return faultproxy.Fault{Status: 500}
		}
		return faultproxy.Fault{}
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		s := base.again(t)
		p := s.proxy(hook)
		said := s.snapshot(2, signedBy("signer")...)
		s.says(said.stderr, "the search of Rekor failed:\n    "+bad+": ", "500 Internal Server Error", "tried 6 times", "--allow-missing")
		if strings.Contains(said.stderr, good) {
			t.Errorf("%s is named too:\n%s", good, said.stderr)
		}
		p.SetHook(nil)
		s.snapshot(0, signedBy("signer")...)
		s.allVerified(s.verify(0, signedBy("signer")...))
	})
	t.Run("attested", func(t *testing.T) {
		t.Parallel()
		s := base.again(t)
		s.proxy(hook)
		said := s.run(2, append(s.attestArgs("signer", bad), "-o", s.out)...)
		s.says(said.stderr, bad+": ", "500 Internal Server Error", "tried 6 times")
		s.holds(s.out)
		// what is in the folder is not searched for
		s.says(s.run(0, s.attestArgs("signer", bad)...).stdout, "0 new entries", "2 were there")
	})
	t.Run("allowed", func(t *testing.T) {
		t.Parallel()
		s := base.again(t)
		s.proxy(hook)
		said := s.snapshot(0, append(signedBy("signer"), "--allow-missing")...)
		s.says(said.stderr, bad+": sealed without all evidence", "500 Internal Server Error")
		s.says(said.stdout, "2 modules")
		// The listing's entry was found: it proves the content without the zip's.
		r := s.verify(0, signedBy("signer")...)
		if got := s.module(r, bad).accepted(); got != "listing" {
			t.Errorf("accepted is evidence over %q, want the listing alone", got)
		}
	})
}
