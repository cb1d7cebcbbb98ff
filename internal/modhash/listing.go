package modhash

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/mod/module"
)

// A Listing is what h1 is the SHA-256 of. It has at least one file, its files are sorted and have valid and different
// names; the zero value is not a listing. Nothing in it is proven by its being parsed: that takes its h1.
type Listing struct {
	module module.Version
	text   string
	files  []File // names are parts of text
	h1     H1
}

// A File is a line of a listing, or a file of a folder.
type File struct {
	Name   string            // slash-separated, relative to the module or folder
	SHA256 [sha256.Size]byte // of the content
}

// Module returns the module that every line names.
func (l *Listing) Module() module.Version { return l.module }

// H1 returns the SHA-256 of the listing.
func (l *Listing) H1() H1 { return l.h1 }

// Bytes returns a copy of the listing's bytes.
func (l *Listing) Bytes() []byte { return []byte(l.text) }

// Len returns the number of files.
func (l *Listing) Len() int { return len(l.files) }

// Size returns about how many bytes of memory the listing takes.
func (l *Listing) Size() int64 {
	return int64(len(l.text) + len(l.files)*(sha256.Size+16))
}

// Files returns the files sorted by name.
func (l *Listing) Files() iter.Seq[File] {
	return func(yield func(File) bool) {
		for _, f := range l.files {
			if !yield(f) {
				return
			}
		}
	}
}

// File returns the SHA-256 of the named file, and whether the module has it.
func (l *Listing) File(name string) ([sha256.Size]byte, bool) {
	if at, ok := find(l.files, name); ok {
		return l.files[at].SHA256, true
	}
	return [sha256.Size]byte{}, false
}

// goMod returns the SHA-256 of the go.mod at the root of the module, nil if there is none.
func (l *Listing) goMod() *[sha256.Size]byte {
	if sum, ok := l.File("go.mod"); ok {
		return &sum
	}
	return nil
}

// newListing makes the listing of files that are sorted and whose names were checked. It takes files over.
func newListing(m module.Version, files []File) (*Listing, error) {
	if len(files) == 0 {
		return nil, &ContentError{Problem: "no files"}
	}
	prefix := namePrefix(m)
	size := 0
	for _, f := range files {
		size += lineSize(prefix, f.Name)
	}
	if size > MaxListing {
		problem := fmt.Sprintf("listing would have %d bytes; the limit is %d", size, MaxListing)
		return nil, &ContentError{Problem: problem}
	}
	var text strings.Builder
	text.Grow(size)
	h := sha256.New()
	var line []byte
	for i := range files {
		f := &files[i]
		line = appendLine(line[:0], f.SHA256, prefix, f.Name)
		h.Write(line)
		text.Write(line)
		// Names become parts of the text, so that what they were parts of until now can go.
		end := text.Len() - len("\n")
		f.Name = text.String()[end-len(f.Name) : end]
	}
	l := &Listing{module: m, text: text.String(), files: files}
	h.Sum(l.h1[:0])
	return l, nil
}

func lineSize(prefix, name string) int {
	return 2*sha256.Size + len("  ") + len(prefix) + len(name) + len("\n")
}

// ParseListing parses a listing and accepts exactly the bytes that [Listing.Bytes] returns for some module: all lines
// name the same valid module and a file that it may have, in order, each once, at least one, at most [MaxEntries] in
// [MaxListing] bytes. It does not check the rules of zips that concern pairs of names, and go.mod: the h1 of an
// unpacked tree that breaks them can be computed and compared too.
func ParseListing(b []byte) (*Listing, error) {
	if len(b) > MaxListing {
		return nil, fmt.Errorf("listing has %d bytes; the limit is %d", len(b), MaxListing)
	}
	l := &Listing{text: string(b)}
	lines := strings.Count(l.text, "\n")
	if lines > MaxEntries {
		return nil, fmt.Errorf("listing has %d lines; the limit is %d", lines, MaxEntries)
	}
	l.files = make([]File, 0, lines)
	prefix := ""
	var names nameChecker
	for rest := l.text; rest != ""; {
		line, after, whole := strings.Cut(rest, "\n")
		rest = after
		sum, name, err := parseLine(line)
		if !whole {
			err = fmt.Errorf("cut off")
		}
		if err == nil && prefix == "" {
			l.module, err = moduleOf(name)
			prefix = namePrefix(l.module)
		}
		if err == nil {
			err = l.append(sum, prefix, name, &names)
		}
		if err != nil {
			return nil, fmt.Errorf("listing: line %d: %w", len(l.files)+1, err)
		}
	}
	if len(l.files) == 0 {
		return nil, fmt.Errorf("listing: no files")
	}
	l.h1 = H1(sha256.Sum256(b))
	return l, nil
}

// parseLine returns the parts of a line:
//
//	0                64  66
//	hex-sha256……………………  path@version/file
func parseLine(line string) (sum [sha256.Size]byte, name string, err error) {
	const hexEnd, nameAt = 2 * sha256.Size, 2*sha256.Size + len("  ")
	if len(line) < nameAt || line[hexEnd:nameAt] != "  " {
		return sum, "", fmt.Errorf("not 64 hex digits, two spaces and a name")
	}
	sum, ok := parseHex(line[:hexEnd])
	if !ok {
		return sum, "", fmt.Errorf("hash is not 64 lower-case hex digits")
	}
	return sum, line[nameAt:], nil
}

// moduleOf returns the module that a line's name begins with. A module's path has no "@", its version no "/".
func moduleOf(name string) (module.Version, error) {
	path, after, ok1 := strings.Cut(name, "@")
	version, _, ok2 := strings.Cut(after, "/")
	if !ok1 || !ok2 {
		return module.Version{}, fmt.Errorf("%s does not begin with path@version/", quote(name))
	}
	m := module.Version{Path: path, Version: version}
	return m, checkModule(m)
}

// append adds a file to the listing, if it may be the next one.
func (l *Listing) append(sum [sha256.Size]byte, prefix, name string, names *nameChecker) error {
	name, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return fmt.Errorf("%s does not begin with %s", quote(name), quote(prefix))
	}
	if problem := names.check(name); problem != "" {
		return &ContentError{Path: name, Problem: problem}
	}
	if n := len(l.files); n > 0 && l.files[n-1].Name >= name {
		return fmt.Errorf("%s is not sorted after %s", quote(name), quote(l.files[n-1].Name))
	}
	l.files = append(l.files, File{Name: name, SHA256: sum})
	return nil
}
