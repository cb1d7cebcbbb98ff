// Rekorstack is a real Rekor v1 on loopback in one process, for tests: Rekor's own API server, in front of Trillian's
// own log server on Trillian's memory storage, with an in-process Redis for the search index. It needs nothing but the
// go command: no database, no container, no network.
//
//	rekorstack -dir STATE [-hostname rekor.modseal.test] [-attestations] [-sigstore]
//
// With -sigstore the rest of Sigstore runs in the same process, of its own code as well: a certificate transparency log
// (CTFE, on a second tree in the same Trillian); an OpenID Connect issuer that signs any claims; Fulcio, with an authority
// of ours; the timestamp authority; and Rekor v2 on a folder. How to reach them and what to trust is in signing_config.json
// and trusted_root.json, and the line on standard output has "sigstore":{…}.
//
// When Rekor answers, one line of JSON goes to standard output:
//
//	{"rekorURL":"http://127.0.0.1:41234","rekorPublicKey":"STATE/rekor.pub","treeID":"…","hostname":"…","pid":123}
//
// The line "rotate" on standard input makes it retire the log's shard, with a new tree and key for what comes then, and report
// again. The trusted root then has both keys.
//
// It runs until its standard input ends, or SIGINT or SIGTERM arrives, so it never outlives the process that holds the
// other end of the pipe. By hand: `sleep inf | rekorstack -dir STATE`.
//
// STATE keeps the key pairs of the log's shards (rekor.key, rekor.pub; rekor.key.2, …: made when missing), rekor.log and
// attestations/. The log itself is in memory: it starts empty, with a new tree ID, each time. STATE/sigstore/ is made anew each
// time, keys included.
//
// All listeners are on 127.0.0.1, on free ports. The servers' fixed metrics port (2112) is not opened.
//
// # Building
//
// The servers are about 1,400 packages, so the code is behind the build tag rekorstack: `go test ./...` and
// `go vet ./...` stay quick. Package stack builds it with [stack.BuildFlags], which also leaves out what the tests have no
// use for; without the tag this command only prints how to build it.
package main
