package gomod

import (
	"bytes"

	"github.com/modseal/modseal/internal/limit"
)

// Limits of one go.mod or go.work file besides its bytes. What the parser of x/mod keeps
// of it is 20 to 200 times as large as the file if it is made of lines or words of one byte.
const (
	maxModLines = 150_000   // lines with something in them
	maxModWords = 1_000_000 // words, comments and brackets
)

// CheckBounded refuses a go.mod or go.work file that would take much more memory to parse
// than it has bytes. Whoever gives one to golang.org/x/mod/modfile calls it before.
func CheckBounded(name string, data []byte) error {
	_, err := boundedLines(name, data)
	return err
}

// boundedLines counts the lines that have something in them.
func boundedLines(name string, data []byte) (lines int, err error) {
	words := 0
	for line := range bytes.Lines(data) {
		n := countWords(line)
		if n == 0 {
			continue
		}
		lines++
		words += n
		if lines > maxModLines {
			return lines, &limit.Error{What: name, Max: maxModLines, Unit: "lines"}
		}
		if words > maxModWords {
			return lines, &limit.Error{What: name, Max: maxModWords, Unit: "words"}
		}
	}
	return lines, nil
}

// countWords counts the tokens of a line (lex in x/mod/modfile/read.go) or some more, but
// for a comment without a space before it.
func countWords(line []byte) (n int) {
	inside := false
	for _, c := range line {
		switch c {
		case ' ', '\t', '\r', '\n':
			inside = false
		case '(', ')', '[', ']', '{', '}', ',', '"', '`', '=':
			n++
			inside = false
		default:
			if !inside {
				n++
			}
			inside = true
		}
	}
	return n
}
