package modhash

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Whatever names came before, a nameChecker says of a name what checkName says.
func TestNameChecker(t *testing.T) {
	elements := []string{"a", "b", "A", "go.mod", "x_test.go", ".hidden", "é", "con1", "~1", "a b", "", ".", "..", "x.", "con", "CON.txt", "a:b", "a\\b", "a\x00", "\xff"}
	const good = 10 // of elements, at the beginning
	r := rand.New(rand.NewPCG(1, 2))
	deep := strings.Repeat("d/", MaxDepth)
	var c nameChecker
	valid, shortcuts := 0, 0
	for range 20_000 {
		var parts []string
		for range 1 + r.IntN(3) {
			n := good
			if r.IntN(8) == 0 {
				n = len(elements)
			}
			parts = append(parts, elements[r.IntN(n)])
		}
		name := strings.Join(parts, "/")
		switch r.IntN(50) {
		case 0:
			name = "/" + name
		case 1:
			name += "/"
		case 2:
			name = deep + name // too deep unless it is one element
		}
		want := checkName(name)
		if want == "" {
			valid++
			if name[:strings.LastIndexByte(name, '/')+1] == c.folder {
				shortcuts++
			}
		}
		if got := c.check(name); got != want {
			t.Fatalf("%q after a name in %q: %q, want %q", name, c.folder, got, want)
		}
	}
	if valid < 5_000 || valid > 19_000 || shortcuts < 500 {
		t.Errorf("%d valid names, %d in the folder of the one before: this test shows too little", valid, shortcuts)
	}
}
