package limit_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/modseal/modseal/internal/limit"
)

// Property: exactly max bytes pass unchanged; max+1 is an error that names the
// thing and the limit, never a shorter result.
func TestAtTheLimitAndOneOver(t *testing.T) {
	for _, size := range []int{0, 1, 9, 10} {
		in := bytes.Repeat([]byte{'x'}, size)
		got, err := limit.ReadAll(bytes.NewReader(in), "thing", 10)
		if err != nil || !bytes.Equal(got, in) {
			t.Errorf("ReadAll of %d bytes: %q, %v", size, got, err)
		}
		for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), iotest.DataErrReader(bytes.NewReader(in))} {
			got, err = io.ReadAll(limit.Reader(r, "thing", 10))
			if err != nil || !bytes.Equal(got, in) {
				t.Errorf("Reader of %d bytes: %q, %v", size, got, err)
			}
		}
	}
	for _, size := range []int{11, 12, 1000} {
		in := strings.Repeat("x", size)
		if got, err := limit.ReadAll(strings.NewReader(in), "thing", 10); !errors.Is(err, limit.ErrExceeded) || got != nil {
			t.Errorf("ReadAll of %d bytes: %q, %v", size, got, err)
		}
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			if _, err := io.ReadAll(limit.Reader(r, "thing", 10)); !errors.Is(err, limit.ErrExceeded) || err.Error() != "thing: more than 10 bytes" {
				t.Errorf("Reader of %d bytes: %v", size, err)
			}
		}
	}
}

// Property: so it is with a file; one that is not there is the system's error.
func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "thing")
	if got, err := limit.ReadFile(name, 10); !errors.Is(err, fs.ErrNotExist) || got != nil {
		t.Errorf("a missing file: %q, %v", got, err)
	}
	for size, over := range map[int]bool{0: false, 10: false, 11: true} {
		in := bytes.Repeat([]byte{'x'}, size)
		if err := os.WriteFile(name, in, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := limit.ReadFile(name, 10)
		if over && (got != nil || err == nil || err.Error() != name+": more than 10 bytes") || !over && (err != nil || !bytes.Equal(got, in)) {
			t.Errorf("%d bytes: %q, %v", size, got, err)
		}
	}
}

// Property: once over, a Reader stays over.
func TestErrorIsSticky(t *testing.T) {
	r := limit.Reader(strings.NewReader("abcdef"), "thing", 2)
	_, _ = io.ReadAll(r)
	if n, err := r.Read(make([]byte, 4)); n != 0 || !errors.Is(err, limit.ErrExceeded) {
		t.Errorf("second read: %d, %v", n, err)
	}
}

// Property: the largest number there is is no limit, rather than none at all.
func TestNoLimit(t *testing.T) {
	if got, err := limit.ReadAll(strings.NewReader("abc"), "thing", math.MaxInt64); string(got) != "abc" || err != nil {
		t.Errorf("ReadAll: %q, %v", got, err)
	}
	if got, err := io.ReadAll(limit.Reader(strings.NewReader("abc"), "thing", math.MaxInt64)); string(got) != "abc" || err != nil {
		t.Errorf("Reader: %q, %v", got, err)
	}
}
