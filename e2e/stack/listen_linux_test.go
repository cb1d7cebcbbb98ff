package stack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/modseal/modseal/e2e/stack"
)

// Nothing listens beyond 127.0.0.1, whatever is started, and all of it is gone after Close.
func TestListeners(t *testing.T) {
	rekor, err := stack.Start(t.Context(), stack.Options{Dir: t.TempDir(), Sigstore: true})
	if err != nil {
		t.Fatal(err)
	}
	listeners := listening(t, rekor.PID)
	if err := rekor.Close(); err != nil {
		t.Error(err)
	}
	// Trillian, Redis, Rekor v1, the issuer, the timestamp authority, the log of certificates, two of Fulcio, and of Rekor v2
	// the server's two, its metrics and what serves its tiles.
	if len(listeners) != 12 {
		t.Errorf("%d listeners, want 12", len(listeners))
	}
	for _, l := range listeners {
		host, port, _ := strings.Cut(l, ":")
		if host != "0100007F" { // in the byte order of the machine
			t.Errorf("listens on %s", l)
		}
		n, err := strconv.ParseUint(port, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		if url := fmt.Sprintf("http://127.0.0.1:%d", n); answers(url) {
			t.Errorf("%s still answers", url)
		}
	}
}

// listening returns the addresses that a process listens on for TCP, as proc(5) writes them in /proc/net/tcp.
func listening(t *testing.T, pid int) (addresses []string) {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("no files of process %d: %v", pid, err)
	}
	own := map[string]bool{} // inodes of sockets
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil {
			if inode, ok := strings.CutPrefix(name, "socket:["); ok {
				own[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	const address, state, inode, listen = 1, 3, 9, "0A"
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if os.IsNotExist(err) {
			continue // no IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) > inode && f[state] == listen && own[f[inode]] {
				addresses = append(addresses, f[address])
			}
		}
	}
	return addresses
}
