package cli

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cheggaaa/pb/v3"

	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/snapshot"
	"github.com/modseal/modseal/verify"
)

// phases shows the progress of long work: on a terminal a bar for each phase,
// elsewhere one line when a phase is done, and nothing when quiet.
type phases struct {
	p     *Process
	quiet bool
	mu    sync.Mutex
	bar   *pb.ProgressBar
	begun time.Time
}

func newPhases(p *Process, quiet bool) *phases { return &phases{p: p, quiet: quiet} }

const (
	barKnown   = `{{string . "name"}} {{bar . "[" "=" ">" " " "]"}} {{counters . }} {{etime .}}`
	barUnknown = `{{string . "name"}} {{cycle . "|" "/" "-" "\\" }} {{counters . }} {{etime .}}`
)

func (u *phases) phase(ph snapshot.Phase) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stop()
	if u.quiet {
		return
	}
	if ph.Done != "" {
		u.p.say("%s: %s (%s)", ph.Name, ph.Done, time.Since(u.begun).Round(100*time.Millisecond))
		return
	}
	u.begun = time.Now()
	if !u.p.Terminal {
		return
	}
	template := pb.ProgressBarTemplate(barKnown)
	if ph.Total == 0 {
		template = barUnknown
	}
	u.bar = template.New(int(ph.Total)).Set("name", ph.Name).Set(pb.Terminal, true).Set(pb.CleanOnFinish, true).
		Set(pb.Bytes, ph.Unit == "bytes").SetWriter(u.p.Stderr).SetMaxWidth(100).Start()
}

func (u *phases) count(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bar != nil {
		u.bar.Add64(n)
	}
}

// say prints a line without breaking a bar.
func (u *phases) say(format string, a ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bar != nil {
		fmt.Fprint(u.p.Stderr, "\r\x1b[K")
	}
	u.p.say(format, a...)
}

// retry tells of a request that is made again.
func (u *phases) retry(n fetch.Retry) {
	u.say("%s %s: %v; again in %s (try %d of %d)", n.Method, n.URL, n.Cause, n.Wait.Round(100*time.Millisecond), n.Try+1, n.Tries)
}

// end takes the bar away, if there is one.
func (u *phases) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stop()
}

func (u *phases) stop() {
	if u.bar != nil {
		u.bar.Finish()
		u.bar = nil
	}
}

// verifyProgress shows a verification, or what goes before it, as one phase.
type verifyProgress struct {
	ui      *phases
	name    string
	bytes   atomic.Int64
	modules atomic.Int64
}

func newVerifyProgress(p *Process, name string, quiet bool) *verifyProgress {
	return &verifyProgress{ui: newPhases(p, quiet), name: name}
}

func (v *verifyProgress) update(p verify.Progress) {
	if p.Total > 0 {
		v.ui.phase(snapshot.Phase{Name: v.name, Total: int64(p.Total)})
	}
	v.bytes.Add(p.Bytes)
	if p.Modules > 0 {
		v.modules.Add(int64(p.Modules))
		v.ui.count(int64(p.Modules))
	}
}

func (v *verifyProgress) done() {
	if n := v.modules.Load(); n > 0 {
		v.ui.phase(snapshot.Phase{Name: v.name, Done: fmt.Sprintf("%d modules, %d MB", n, v.bytes.Load()/1e6)})
	}
	v.ui.end()
}
