package modhash

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Options configure a [Hasher]. The zero value is good.
type Options struct {
	// Workers is how many files are read and hashed at once, over all calls; zero or less is twice GOMAXPROCS.
	Workers int
	// Progress, if not nil, is told how many bytes were read since it was last called, every so often. Any number of
	// goroutines may call it at once.
	Progress func(n int64)
}

// A Hasher hashes any number of modules with a fixed number of workers, so that neither the processors nor the memory
// that it takes depend on how many modules there are. One Hasher is meant to be shared by a whole set of modules: its
// methods may be called from any number of goroutines and wait for a worker. A worker that no other module waits for
// helps with the files of the modules that are still being read; a large one at the end of a set is not left to one
// processor.
type Hasher struct {
	workers   int
	progress  func(n int64)
	free      chan *worker  // the workers that have nothing to do
	wide      chan struct{} // see admitWide
	inflaters sync.Pool     // of *inflater, as many as workers that read zips
	noClone   atomic.Bool   // once the file system said that it can't: see clone
	open      func(dir string) (folder, error)
}

// New returns a Hasher.
func New(o Options) *Hasher {
	if o.Workers <= 0 {
		o.Workers = 2 * runtime.GOMAXPROCS(0)
	}
	h := &Hasher{
		workers:  o.Workers,
		progress: o.Progress,
		free:     make(chan *worker, o.Workers),
		wide:     make(chan struct{}, 1),
		open:     openFolder,
	}
	for range o.Workers {
		h.free <- new(worker)
	}
	return h
}

// Each calls do with 0, 1, … n-1, for as many of them at once as the Hasher has workers, and returns when all calls
// have. The context that do gets ends when ctx does or when a call returned an error, which Each returns; no further
// calls are made then.
//
// It is the loop over a set of modules, in which do calls [Hasher.Tree], [Hasher.Zip] and [Hasher.Digest] and keeps
// of the result only what it needs.
func (h *Hasher) Each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, h.workers) {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// acquire waits for a worker.
func (h *Hasher) acquire(ctx context.Context) (*worker, error) {
	if ctx.Err() == nil {
		select {
		case w := <-h.free:
			return w, nil
		case <-ctx.Done():
		}
	}
	return nil, context.Cause(ctx)
}

// release never waits: there is room for all workers.
func (h *Hasher) release(w *worker) { h.free <- w }

// admitWide is called once, with a worker, by who is about to need much memory for the names of one module, and waits
// until no other module does. The caller calls leave when it is done with the module.
func (h *Hasher) admitWide(ctx context.Context) (leave func(), err error) {
	select {
	case h.wide <- struct{}{}:
		return func() { <-h.wide }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// A crew is the workers that are busy with one module: the one that it was begun with, and those that were free on
// the way. Jobs may add jobs.
type crew struct {
	hasher *Hasher
	ctx    context.Context
	fail   context.CancelCauseFunc // ends the work: run returns the error

	mu   sync.Mutex
	wake sync.Cond // a job was added, or the last busy worker is done
	jobs []job     // a stack: what was read last is done first
	busy int
}

// A job is called exactly once, also when the work has failed, so that it can let go of what it holds.
type job func(w *worker)

func (h *Hasher) newCrew(ctx context.Context) *crew {
	c := &crew{hasher: h}
	c.ctx, c.fail = context.WithCancelCause(ctx)
	c.wake.L = &c.mu
	return c
}

func (c *crew) add(jobs ...job) {
	c.mu.Lock()
	c.jobs = append(c.jobs, jobs...)
	c.mu.Unlock()
	c.wake.Broadcast()
	for range jobs {
		if !c.recruit() {
			break
		}
	}
}

// recruit lets one more worker help, if one is free.
func (c *crew) recruit() bool {
	if c.ctx.Err() != nil {
		return false
	}
	select {
	case w := <-c.hasher.free:
		go c.help(w)
		return true
	default:
		return false
	}
}

// run does all jobs with w and with what help there is.
func (c *crew) run(w *worker) error {
	defer c.fail(nil)
	for {
		c.mu.Lock()
		for len(c.jobs) == 0 && c.busy > 0 {
			c.wake.Wait()
		}
		if len(c.jobs) == 0 {
			c.mu.Unlock()
			break
		}
		c.doOne(w)
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return nil
}

// help does jobs until there are none.
func (c *crew) help(w *worker) {
	for {
		c.mu.Lock()
		if len(c.jobs) == 0 {
			// With the lock held: who adds a job from now on finds the worker free.
			c.hasher.release(w)
			c.mu.Unlock()
			return
		}
		c.doOne(w)
	}
}

// doOne is called with the lock held and at least one job, and gives the lock back.
func (c *crew) doOne(w *worker) {
	last := len(c.jobs) - 1
	do := c.jobs[last]
	c.jobs[last] = nil
	c.jobs = c.jobs[:last]
	c.busy++
	c.mu.Unlock()

	if last > 0 {
		c.recruit() // workers come free while there are jobs
	}
	do(w)

	c.mu.Lock()
	c.busy--
	idle := c.busy == 0 && len(c.jobs) == 0
	c.mu.Unlock()
	if idle {
		c.wake.Broadcast()
	}
}
