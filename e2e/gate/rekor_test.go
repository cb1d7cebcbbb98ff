package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"unicode"
)

// Paths of Rekor's API.
const (
	logPath      = "/api/v1/log"
	proofPath    = "/api/v1/log/proof"
	searchPath   = "/api/v1/index/retrieve"
	retrievePath = "/api/v1/log/entries/retrieve"
	createPath   = "/api/v1/log/entries"
)

// ask sends JSON to Rekor itself, and reads the answer into out. It is for any goroutine.
func ask(ctx context.Context, method, path string, question, out any) error {
	data, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, shared.rekor.URL+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, body)
	}
	return json.Unmarshal(body, out)
}

// logSize is how many entries the log has.
func (s *site) logSize() uint64 {
	s.Helper()
	var info struct{ TreeSize uint64 }
	if err := ask(s.Context(), http.MethodGet, logPath, nil, &info); err != nil {
		s.Fatal(err)
	}
	return info.TreeSize
}

// search asks the index for the entries over a digest, of one key if that is given.
func (s *site) search(digest [32]byte, key []byte) (uuids []string) {
	s.Helper()
	question := map[string]any{"hash": fmt.Sprintf("sha256:%x", digest)}
	if key != nil {
		question["publicKey"], question["operator"] = map[string]any{"format": "x509", "content": key}, "and"
	}
	if err := ask(s.Context(), http.MethodPost, searchPath, question, &uuids); err != nil {
		s.Fatal(err)
	}
	return uuids
}

// zipFile names a module's zip in the module cache, whose folder is given.
func zipFile(modcache, module string) string { return downloaded(modcache, module, ".zip") }

// modFile names its go.mod file.
func modFile(modcache, module string) string { return downloaded(modcache, module, ".mod") }

func downloaded(modcache, module, ext string) string {
	path, version, _ := strings.Cut(escape(module), "@")
	return filepath.Join(modcache, "cache", "download", filepath.FromSlash(path), "@v", version+ext)
}

// treeDir names the folder that it is unpacked in.
func treeDir(modcache, module string) string {
	return filepath.Join(modcache, filepath.FromSlash(escape(module)))
}

// escape writes upper-case letters as in a module cache.
func escape(module string) string {
	var b strings.Builder
	for _, r := range module {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// zipDigest is what attest logs of a module's zip.
func (s *site) zipDigest(module string) [32]byte {
	s.Helper()
	return sha256.Sum256(s.read(zipFile(shared.modcache, module)))
}

// h1 is what go.sum says of a module, which is what attest logs of its listing.
func (s *site) h1(module string) [32]byte {
	s.Helper()
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.Fields(shared.sums[module])[2], "h1:"))
	if err != nil || len(sum) != 32 {
		s.Fatalf("%s: %v: %q", sumsFile, err, shared.sums[module])
	}
	return [32]byte(sum)
}
