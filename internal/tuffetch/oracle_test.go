package tuffetch_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/modseal/modseal/internal/testtuf"
)

// byGoTUF gets the target with go-tuf's own client, which fetches from the same
// server and walks as of the same time.
func byGoTUF(s *server) ([]byte, error) {
	c, err := config.New(s.URL+"/tuf/", s.repo.RootFile(1))
	if err != nil {
		return nil, err
	}
	c.DisableLocalCache = true
	u, err := updater.New(c)
	if err != nil {
		return nil, err
	}
	u.UnsafeSetRefTime(now())
	if err := u.Refresh(); err != nil {
		return nil, err
	}
	info, err := u.GetTargetInfo("trusted_root.json")
	if err != nil {
		return nil, err
	}
	_, data, err := u.DownloadTarget(info, "", "")
	return data, err
}

// Property: go-tuf's client and Fetch agree on what a repository leads to, and
// that it leads nowhere. (Where ours is stricter is for the other tests.)
func TestOracle(t *testing.T) {
	for name, change := range map[string]func(s *server){
		"good": nil,
		"rotated": func(s *server) {
			s.repo.Rotate(roles(), "a", "b")
			s.repo.Publish(testtuf.State{Target: []byte("trusted root 2")})
		},
		"too few keys": func(s *server) { s.repo.Rotate(roles(), "a") },
		"strangers":    func(s *server) { s.lie["3.root.json"] = body(string(strangers().RootFile(2))) },
		"no timestamp": func(s *server) { s.lie["timestamp.json"] = status(http.StatusNotFound) },
		"old timestamp": func(s *server) {
			s.repo.Publish(testtuf.State{Target: []byte("x"), Timestamp: now().AddDate(0, 0, -1)})
		},
		"old snapshot": func(s *server) { s.repo.Publish(testtuf.State{Target: []byte("x"), Snapshot: now().AddDate(0, 0, -1)}) },
		"old targets":  func(s *server) { s.repo.Publish(testtuf.State{Target: []byte("x"), Targets: now().AddDate(0, 0, -1)}) },
		"just in time": func(s *server) {
			s.repo.Publish(testtuf.State{Target: []byte("y"), Targets: now(), Timestamp: now(), Snapshot: now()})
		},
		"swapped target": func(s *server) { s.lieTarget(body("trusted root 9")) },
		"no target":      func(s *server) { s.lieTarget(status(http.StatusNotFound)) },
	} {
		for _, consistent := range []bool{true, false} {
			s := serve(t, repository(consistent))
			if change != nil {
				change(s)
			}
			want, refused := byGoTUF(s)
			got, err := s.fetch(filepath.Join(t.TempDir(), "trust"))
			if (err == nil) != (refused == nil) {
				t.Errorf("%s (consistent %v): go-tuf says %v, we say %v", name, consistent, refused, err)
			} else if err == nil && string(got.TrustedRoot) != string(want) {
				t.Errorf("%s (consistent %v): go-tuf got %q, we %q", name, consistent, want, got.TrustedRoot)
			}
			if good := name == "good" || name == "rotated" || name == "just in time"; good != (err == nil) {
				t.Errorf("%s (consistent %v): %v", name, consistent, err)
			}
		}
	}
}

// lieTarget lies about the target.
func (s *server) lieTarget(lie http.HandlerFunc) {
	for name := range s.repo.Files {
		if strings.HasPrefix(name, "targets/") {
			s.lie[name] = lie
		}
	}
}
