package snapshot

import (
	"archive/zip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/modseal/modseal/internal/gomod"
	"github.com/modseal/modseal/internal/modhash"
)

// Property: what is kept of a module after it was hashed does not hold its listing, which
// can be a thousand times as large.
func TestListingIsLetGo(t *testing.T) {
	cache := &gomod.Cache{Root: t.TempDir()}
	v := module.Version{Path: "example.com/m", Version: "v1.0.0"}
	name, err := cache.Zip(v)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	if _, err := z.Create(v.String() + "/go.mod"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c := &collector{Request: &Request{}}
	m := &collected{v: v}
	gone := make(chan bool)
	func() {
		l, err := c.hashModule(context.Background(), modhash.New(modhash.Options{}), cache, m)
		if err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(l, func(c chan bool) { close(c) }, gone)
	}()
	for deadline := time.After(10 * time.Second); ; {
		runtime.GC()
		select {
		case <-gone:
			if m.zip == nil || fmt.Sprint(m.zip) == "" {
				t.Error("no digest")
			}
			return
		case <-deadline:
			t.Fatal("the listing is still held")
		default:
			runtime.Gosched()
		}
	}
}
