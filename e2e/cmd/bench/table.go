//go:build unix

package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is the result: sections with rows.
type table struct {
	rows  []row
	notes []string // below it
}

type row struct {
	what, value, target, met string // a section has what alone
}

// section begins a group of rows.
func (t *table) section(format string, a ...any) {
	t.rows = append(t.rows, row{what: fmt.Sprintf(format, a...)})
}

// info adds a figure that has no target.
func (t *table) info(what, format string, a ...any) {
	t.rows = append(t.rows, row{what: "  " + what, value: fmt.Sprintf(format, a...)})
}

// atMost adds a figure that should be at most so much. Format is for both numbers.
func (t *table) atMost(what, format string, value, most float64) {
	r := row{what: "  " + what, value: fmt.Sprintf(format, value), target: "≤ " + fmt.Sprintf(format, most), met: "met"}
	if !(value <= most) { // NaN is not met
		r.met = "NOT MET"
	}
	t.rows = append(t.rows, r)
}

// note adds a line below the table.
func (t *table) note(format string, a ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, a...))
}

func (t *table) print(w io.Writer) {
	widths := [...]int{len("what"), len("value"), len("target")}
	for _, r := range t.rows {
		if r.value == "" {
			continue // a section may run through all columns
		}
		for i, cell := range []string{r.what, r.value, r.target} {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(r row) {
		s := fmt.Sprintf("%-*s   %-*s   %-*s   %s", widths[0], r.what, widths[1], r.value, widths[2], r.target, r.met)
		fmt.Fprintln(w, strings.TrimRight(s, " "))
	}
	line(row{"what", "value", "target", ""})
	for _, r := range t.rows {
		if r.value == "" {
			fmt.Fprintf(w, "\n%s\n", r.what)
			continue
		}
		line(r)
	}
	for _, n := range t.notes {
		fmt.Fprintf(w, "\n%s\n", n)
	}
}
