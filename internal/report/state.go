package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/modseal/modseal/verify"
)

// state says how the bundle relates to those that were accepted before.
func (t *text) state(r *verify.StateReport) {
	if r == nil {
		return
	}
	if r.First {
		t.printf("state    %s   %s\n", r.File, t.paint(yellow, "first use: there was nothing to compare with"))
		return
	}
	n := map[string]int{}
	for _, h := range r.Heads {
		n[h.How]++
	}
	var parts []string
	for _, x := range [][2]string{
		{"extended", "proven to extend what was seen"}, {"same", "as seen"}, {"new", "not seen before"}, {"absent", "seen before and not in this bundle"},
	} {
		if n[x[0]] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", Count(n[x[0]], "log"), x[1]))
		}
	}
	if parts == nil {
		parts = []string{"no log to compare"}
	}
	t.printf("state    %s   %s\n", r.File, strings.Join(parts, ", "))
}

// age says how old the bundle is at most, and by whose word.
func (t *text) age(r *verify.AgeReport) {
	if r == nil {
		return
	}
	words := map[string]string{
		verify.TimeSealer: "as its sealer states", verify.TimeSeal: "when its seal was logged", verify.TimeEntry: "when evidence in it was logged", verify.TimeWitness: "when a witness cosigned",
	}
	age := fmt.Sprintf("%s of %s", time.Duration(r.Seconds)*time.Second, time.Duration(r.MaxSeconds)*time.Second)
	if !r.Warning {
		t.printf("age      %s", age)
	} else {
		t.printf("age      %s", t.paint(yellow, age+", soon too old: take a new snapshot"))
	}
	t.printf("; %s, %s: %s\n", words[r.By], r.Who, r.Time.Format(time.RFC3339))
}
