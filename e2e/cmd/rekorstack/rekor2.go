//go:build rekorstack

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix/app"
)

// rekor2Origin names the log in its checkpoints. Verifiers take the name from the host, without the port, of the base
// URL in the trusted root.
const rekor2Origin = "127.0.0.1"

// rekor2Public is below what the public instances serve what the log's own command has in its folder.
const rekor2Public = "/api/v2"

// rekor2 is Rekor version 2 on a folder of tiles.
type rekor2 struct {
	url    string // of writes and reads
	public ed25519.PublicKey
}

// startRekor2 runs the command of Rekor version 2 in this process: its packages are internal to its module. An answer to
// a write waits for the next checkpoint, so those come often. Like a public instance behind its load balancer, one URL
// serves the folder's files to readers, with that path and without, and the server's API to writers.
func startRekor2(dir string) (*rekor2, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	keyPath := filepath.Join(dir, "rekor2.key")
	if err := writeKey(keyPath, private); err != nil {
		return nil, err
	}
	tiles := filepath.Join(dir, "rekor2")
	if err := os.MkdirAll(tiles, 0o755); err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	os.Args = []string{"rekor-server", "serve",
		"--hostname=" + rekor2Origin,
		"--storage-dir=" + tiles, "--signer-filepath=" + keyPath,
		"--checkpoint-interval=200ms", "--batch-max-age=50ms",
		"--http-address=127.0.0.1", "--http-port=" + strconv.Itoa(ports[0]),
		"--grpc-address=127.0.0.1", "--grpc-port=" + strconv.Itoa(ports[1]),
		"--http-metrics-port=0", "--server-timeout=2m", "--log-level=warn",
	}
	go app.Execute() // ends the process when it can't serve

	writes := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprint("127.0.0.1:", ports[0])})
	reads := http.FileServer(http.Dir(tiles))
	base, err := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, rekor2Public)
		if path == "/checkpoint" || strings.HasPrefix(path, "/tile/") {
			http.StripPrefix(strings.TrimSuffix(r.URL.Path, path), reads).ServeHTTP(w, r)
			return
		}
		writes.ServeHTTP(w, r)
	}))
	return &rekor2{url: base, public: public}, err
}

// freePorts returns n loopback ports for a server that wants to be told. They are from below those that the kernel
// gives to others that don't ask for one (Linux: from 32768), so nobody gets them by chance before the server does.
func freePorts(n int) ([]int, error) {
	const first, last, tries = 15000, 32000, 100
	var ports []int
	for range tries {
		port := first + mathrand.IntN(last-first)
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			continue
		}
		defer listener.Close() // when all are found, so they differ
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free port")
}
