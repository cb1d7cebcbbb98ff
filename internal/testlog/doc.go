// Package testlog keeps transparency logs in memory, for tests: a [Rekor] with
// its shards, a [RekorV2], and a Go checksum database, a [SumDB]; and who issues
// certificates and timestamps, a [Fulcio] and a [TSA]. All are http.Handlers that
// speak the protocol of the real thing as far as clients here use it, so that a
// test can stand before httptest.NewServer(log) with what it knows to be true.
//
//   - Rekor's API version 1, by openapi.yaml in github.com/sigstore/rekor and
//     answers recorded from rekor-server 1.5.4: log, log/proof, log/publicKey,
//     log/entries, log/entries/retrieve, index/retrieve.
//   - Rekor's API version 2, for as much as writing takes: a [RekorV2], whose
//     bodies, checkpoints and proofs are those of Rekor v2; a [TSA] and a
//     [Witness] stand beside it.
//   - C2SP tlog-tiles, for what reading takes: [RekorTiles] serves the files of a
//     RekorV2.
//   - The checksum database protocol, https://go.dev/design/25530-sumdb: lookup,
//     latest, tile, supported; under "/" as the database itself, and under
//     ".../sumdb/NAME/" as a module proxy passes it on.
//
// # Telling lies
//
// The logs themselves are honest: every head, proof and signature verifies. A
// test that wants a lie changes an answer before it is sent (the [Hook] Rekor.Edit or
// SumDB.Edit, with [Answer.EditJSON] for a value deep inside), has an older head
// served (HeadSize), or has the log's key sign what the log would not
// ([Shard.SignNote], [Shard.SET], [SumDB.SignNote]).
//
// # Reproducible
//
// Keys come from names, signatures are deterministic, time is a counter: two
// runs of a test see the same bytes. So nothing here is secret, and none of it
// may be trusted outside of tests.
//
// Proofs come from golang.org/x/mod/sumdb/tlog, not from the package merkle that
// is tested with them. A call that makes no sense, such as for the root of a
// tree that has not grown so far, panics: it is the test that is wrong.
package testlog
