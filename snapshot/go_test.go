package snapshot_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Property: the go command downloads what is missing, with the settings that it
// is given, and what it downloaded is what is sealed; what it can't download is
// named, with its own words.
func TestGoDownloads(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command: ", err)
	}
	w := newWorld(t)
	if err := os.RemoveAll(w.path("cache")); err != nil {
		t.Fatal(err)
	}
	telemetry := w.path(".config/go/telemetry") // else the go command goes on writing there after it is done
	if err := errors.Join(os.MkdirAll(telemetry, 0o755), os.WriteFile(filepath.Join(telemetry, "mode"), []byte("off\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.mods {
		m.publish(t, w.path("proxy"))
	}
	w.env["GOPROXY"], w.env["GOFLAGS"] = "file://"+filepath.ToSlash(w.path("proxy")), "-modcacherw"
	w.request.NoDownload, w.request.World.ReadFile = false, os.ReadFile
	w.request.Environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GOTOOLCHAIN=local", "GO111MODULE=on"}
	for name, value := range w.env {
		w.request.Environ = append(w.request.Environ, fmt.Sprintf("%s=%s", name, value))
	}
	s := w.take()
	if want := []string{"download modules", "hash modules", "look up in sum.example.org", "search Rekor", "retrieve entries", "check and seal"}; !slices.Equal(w.phases, want) {
		t.Errorf("phases %q, want %q", w.phases, want)
	}
	if r := w.enclave(); !r.OK || len(s.Reports[0].Modules) != 3 || len(r.Modules[0].OnDisk) != 3 {
		t.Errorf("ok %t, %+v", r.OK, r.Modules)
	}

	write(t, w.path("project/go.mod"), string(read(t, w.path("project/go.mod")))+"require example.com/nowhere v1.0.0\n")
	if err := os.Remove(w.request.Output); err != nil {
		t.Fatal(err)
	}
	if err := w.fail(); !strings.Contains(err.Error(), "go mod download: ") || !strings.Contains(err.Error(), "example.com/nowhere@v1.0.0") {
		t.Errorf("no go.mod: %v", err)
	}
	nowhere := newMod("example.com/nowhere")
	nowhere.publish(t, w.path("proxy"))
	w.db.Add(nowhere.Version, sum(nowhere.h1()), sum(nowhere.goModH1())) // which the go command asks
	if err := os.Remove(w.path("proxy/example.com/nowhere/@v/v1.0.0.zip")); err != nil {
		t.Fatal(err)
	}
	e := incomplete(t, w.fail(), false, nowhere.Path)
	if !strings.Contains(e.Error(), "go mod download could not fetch") || !strings.Contains(e.Error(), "v1.0.0.zip") {
		t.Error(e)
	}
	t.Setenv("PATH", "")
	if err := w.fail(); !strings.Contains(err.Error(), "--no-download") {
		t.Errorf("no go command: %v", err)
	}
}
