//go:build unix

// Command bench measures modseal and prints the figures in one table, each beside what it is compared with:
//
//	cd e2e && go run ./cmd/bench -modseal ../bin/modseal
//
// Machines differ, and most are shared. So every time is taken next to that of the thing it is compared with, in turns;
// the ratio is the median of the rounds' ratios, and stands there in CPU seconds too. When a busy machine has spoilt the
// times, a note below the table says so. On Linux, root can run the bench ahead of all else:
//
//	setsid -w sh -c 'echo -15 >/proc/self/autogroup; exec make bench'
//
// What is measured:
//
//   - snapshot: requests, counted by a proxy on loopback in front of the first proxy of GOPROXY.
//   - bundle: bytes, against the hashes that can't be left out, and against the tiles that carry the same proofs.
//   - verify: on a warm module cache, against SHA-256 over the same bytes in a process of its own with one worker for
//     each processor, and against "go mod verify" in the same project on the same cache.
//   - memory: the largest resident set of verify, for few and for all modules.
//   - vendor: verify of a vendor folder, Kubernetes' own set, against SHA-256 over the same files as above, and against
//     "diff -r" with a copy of the folder, which is how one would see by hand that nothing in it was changed.
//   - merkle: the benchmarks of package merkle with 100,000 leaves.
//   - large: snapshot and verify of 10,000 and of 100,000 made-up modules with a checksum database of their own, and what a
//     million would take by that.
//
// The modules are those of package benchset. They are downloaded to the module cache if they aren't there, which takes a
// network, and are then linked into a module cache of the bench's own, without what the go command keeps of the checksum
// database. With -quick it is modseal's own dependencies, and fewer rounds, and no vendor folder.
package main
