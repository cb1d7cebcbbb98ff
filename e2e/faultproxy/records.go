package faultproxy

import (
	"maps"
	"slices"
)

// Records returns the requests that have ended, in the order in which they did.
func (p *Proxy) Records() []Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.records)
}

// Count returns how many requests there were for a path, those under way included.
func (p *Proxy) Count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nth[path]
}

// Counts returns how many requests there were for each path, those under way included.
func (p *Proxy) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.nth)
}

// MostAtOnce returns how many requests were under way at the same time, at most.
func (p *Proxy) MostAtOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// Reset forgets all counts and records, and keeps the hook.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.nth)
	p.records = nil
	p.most = p.inFlight
}
