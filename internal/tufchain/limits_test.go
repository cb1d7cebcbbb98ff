package tufchain_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/testtuf"
	"github.com/modseal/modseal/internal/tufchain"
)

// Property: a file is accepted at its limit and refused with one byte more.
// White space is what makes metadata longer here.
func TestFileLimits(t *testing.T) {
	for name, max := range map[string]int{
		"2.root.json": tufchain.MaxRoot, "timestamp.json": tufchain.MaxTimestamp,
		"1.snapshot.json": tufchain.MaxSnapshot, "1.targets.json": tufchain.MaxTargets,
	} {
		r := rotated(true)
		chain := r.Chain(1)
		chain[name] = append(bytes.Clone(chain[name]), bytes.Repeat([]byte(" "), max-len(chain[name]))...)
		if _, err := walk(r.RootFile(1), chain, now()); err != nil {
			t.Errorf("%s at its limit: %v", name, err)
		}
		chain[name] = append(chain[name], ' ')
		_, err := walk(r.RootFile(1), chain, now())
		wantKind(t, err, tufchain.TooLarge, name, fmt.Sprint(max))
	}
	for _, over := range []int{0, 1} {
		r := testtuf.New(true, roles())
		r.Publish(testtuf.State{Target: bytes.Repeat([]byte("x"), tufchain.MaxTrustedRoot+over)})
		_, err := walk(r.RootFile(1), r.Chain(1), now())
		if over == 0 && err != nil {
			t.Error(err)
		} else if over == 1 {
			wantKind(t, err, tufchain.TooLarge, "trusted_root.json")
		}
	}
	r := rotated(true)
	_, err := walk(append(r.RootFile(1), bytes.Repeat([]byte(" "), tufchain.MaxRoot)...), r.Chain(1), now())
	wantKind(t, err, tufchain.TooLarge, "the pinned root")
}

// Property: 256 rotations are walked, one more is refused, whether the chain is
// a set of files or served without end; and roots of 16 MiB together are the
// most.
func TestRotationLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	r := testtuf.New(true, roles())
	for range tufchain.MaxRotations {
		r.Rotate(roles(), "a", "b")
	}
	r.Publish(testtuf.State{Target: []byte("x")})
	got, err := walk(r.RootFile(1), r.Chain(1), now())
	if err != nil || got.Root.Version != 1+tufchain.MaxRotations {
		t.Fatalf("%+v, %v", got, err)
	}
	chain := r.Chain(1)
	size := 0
	for name := range chain {
		size += len(chain[name])
	}
	for name := range chain { // up to the limit of all files
		if n := min(tufchain.MaxChain-size, 400_000); strings.HasSuffix(name, ".root.json") {
			chain[name] = append(bytes.Clone(chain[name]), bytes.Repeat([]byte(" "), n)...)
			size += n
		}
	}
	if _, err := walk(r.RootFile(1), chain, now()); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	chain["timestamp.json"] = append(chain["timestamp.json"], ' ')
	_, err = walk(r.RootFile(1), chain, now())
	wantKind(t, err, tufchain.TooLarge, "16777216")

	r.Rotate(roles(), "a", "b")
	_, err = walk(r.RootFile(1), r.Chain(1), now())
	wantKind(t, err, tufchain.TooLarge, "256 root rotations", "--tuf-root")
	_, _, err = tufchain.Follow(context.Background(), tufchain.FollowRequest{Pinned: r.RootFile(1), Source: tufchain.Files(r.Files), At: now()})
	wantKind(t, err, tufchain.TooLarge, "256 root rotations")
}

// Property: go-tuf compares all signatures of a file with each other, so their
// number is limited before it does.
func TestSignatureLimit(t *testing.T) {
	r := rotated(true)
	for _, over := range []int{0, 1} {
		chain := r.Chain(1)
		var extra strings.Builder
		for i := range tufchain.MaxSignatures - 1 + over { // one is there
			fmt.Fprintf(&extra, `{"keyid":"%d","sig":""},`, i)
		}
		chain["1.targets.json"] = bytes.Replace(chain["1.targets.json"], []byte(`"signatures":[`), []byte(`"signatures":[`+extra.String()), 1)
		_, err := walk(r.RootFile(1), chain, now())
		if over == 0 && err != nil {
			t.Error(err)
		} else if over == 1 {
			wantKind(t, err, tufchain.TooLarge, "32 signatures")
		}
	}
}

// Property: a root has no more keys than is stated: for each signature go-tuf encodes all
// of them anew.
func TestKeyLimit(t *testing.T) {
	for _, over := range []int{0, 1} {
		many := roles()
		for i := range tufchain.MaxKeys - len(many.Root) - 2 + over { // three roles have two more together
			many.Root = append(many.Root, fmt.Sprint("key ", i))
		}
		r := testtuf.New(true, many)
		r.Publish(testtuf.State{Target: []byte("{}")})
		_, err := walk(r.RootFile(1), r.Chain(1), now())
		if over == 0 && err != nil {
			t.Error(err)
		} else if over == 1 {
			wantKind(t, err, tufchain.Malformed, "32 keys")
		}
	}
}

// Property: a chain of which a file is cut anywhere leads nowhere.
func TestTruncatedChain(t *testing.T) {
	r := rotated(true)
	chain := r.Chain(1)
	for name, whole := range chain {
		step := max(1, len(whole)/100)
		for n := 0; n < len(whole); n += step {
			chain[name] = whole[:n]
			if _, err := walk(r.RootFile(1), chain, now()); err == nil {
				t.Fatalf("%s cut at %d of %d: accepted", name, n, len(whole))
			}
		}
		chain[name] = whole
	}
}
