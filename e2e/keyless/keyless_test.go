package keyless_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/client/read"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/transparency-dev/tessera/api"

	"github.com/modseal/modseal/e2e/keyless"
	"github.com/modseal/modseal/e2e/stack"
	"github.com/modseal/modseal/e2e/tufrepo"
)

// What is signed without a key is verified, whichever log it is in, and is nobody else's and nothing else.
func TestSign(t *testing.T) {
	statement := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"%x"}}],`+
		`"predicateType":"https://modseal.test/predicate","predicate":{}}`, sha256.Sum256(artifact))
	for _, test := range []struct {
		name string
		keyless.Request
		logs int
	}{
		{"artifact in v1", keyless.Request{Artifact: artifact, V1: true}, 1},
		{"artifact in v1, without a timestamp", keyless.Request{Artifact: artifact, V1: true, NoTimestamp: true}, 1},
		{"artifact in v2", keyless.Request{Artifact: artifact, V2: true}, 1},
		{"artifact in both", keyless.Request{Artifact: artifact, V1: true, V2: true}, 2},
		{"statement in v1", keyless.Request{Statement: statement, V1: true}, 1},
		{"statement in v2", keyless.Request{Statement: statement, V2: true}, 1},
		{"statement as intoto", keyless.Request{Statement: statement, Intoto: true}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := parse(t, signed(t, test.Request))
			trusted := trustedRoot(t)
			result, err := check(t, trusted, b, test.logs, verify.WithArtifact(bytes.NewReader(artifact)), alice)
			if err != nil {
				t.Fatal(err)
			}
			if san := result.Signature.Certificate.SubjectAlternativeName; san != alice {
				t.Errorf("signed by %q, want %q", san, alice)
			}
			for _, lie := range []struct {
				name, artifact, email string
				logs                  int
			}{
				{"another artifact", "another", alice, test.logs},
				{"another signer", string(artifact), "bob@example.test", test.logs},
				{"one log more", string(artifact), alice, test.logs + 1},
			} {
				of := verify.WithArtifact(strings.NewReader(lie.artifact))
				if _, err := check(t, trusted, b, lie.logs, of, lie.email); err == nil {
					t.Errorf("%s: verified", lie.name)
				}
			}
		})
	}
}

// An entry in Rekor v2 says nothing of the time, so a certificate needs a timestamp beside it.
func TestNoTimestamp(t *testing.T) {
	t.Parallel()
	b := parse(t, signed(t, keyless.Request{Artifact: artifact, V2: true, NoTimestamp: true}))
	_, err := check(t, trustedRoot(t), b, 1, verify.WithArtifact(bytes.NewReader(artifact)), alice)
	if err == nil || !strings.Contains(err.Error(), "timestamps") {
		t.Errorf("error is %v, want one about timestamps", err)
	}
}

// An entry of Rekor v2 is what the log's tiles have at its index, below a checkpoint that the trusted root's key signed.
func TestTiles(t *testing.T) {
	t.Parallel()
	b := parse(t, signed(t, keyless.Request{Artifact: artifact, V2: true}))
	entry := b.VerificationMaterial.TlogEntries[0]
	material, err := root.NewTrustedRootFromJSON(trustedRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	log := material.RekorLogs()[hex.EncodeToString(entry.LogId.KeyId)]
	if log == nil || log.BaseURL != rekor.Sigstore.RekorV2URL {
		t.Fatalf("the entry's log is %+v", log)
	}
	verifier, err := signature.LoadDefaultVerifier(log.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := read.NewReader(log.BaseURL, "127.0.0.1", verifier)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, _, err := reader.ReadCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	index := uint64(entry.LogIndex)
	if checkpoint.Size <= index || checkpoint.Size > 256 {
		t.Fatalf("checkpoint of size %d, entry %d: want it in the first tile", checkpoint.Size, index)
	}
	data, err := reader.ReadEntryBundle(t.Context(), 0, uint8(checkpoint.Size%256))
	if err != nil {
		t.Fatal(err)
	}
	var entries api.EntryBundle
	if err := entries.UnmarshalText(data); err != nil {
		t.Fatal(err)
	}
	if got := entries.Entries[index]; !bytes.Equal(got, entry.CanonicalizedBody) {
		t.Errorf("entry %d of the tile is\n%s\nwant\n%s", index, got, entry.CanonicalizedBody)
	}
}

// The trusted root that a TUF repository hands out verifies what the servers signed, before and after a rotation of
// its root.
func TestTrustedRootFromTUF(t *testing.T) {
	t.Parallel()
	repo, err := tufrepo.New(map[string][]byte{stack.TrustedRootName: trustedRoot(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(repo.Close)
	b := parse(t, signed(t, keyless.Request{Artifact: artifact, V1: true}))
	for range 2 {
		client, err := tuf.New(tuf.DefaultOptions().WithRoot(repo.FirstRoot()).
			WithRepositoryBaseURL(repo.URL).WithDisableLocalCache())
		if err != nil {
			t.Fatal(err)
		}
		trusted, err := client.GetTarget(stack.TrustedRootName)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := check(t, trusted, b, 1, verify.WithArtifact(bytes.NewReader(artifact)), alice); err != nil {
			t.Errorf("root version %d: %v", repo.RootVersion(), err)
		}
		if err := repo.Rotate(tufrepo.Root); err != nil {
			t.Fatal(err)
		}
	}
}

// Fulcio gives no certificate for a token that is old, for somebody else, or of an address that nobody checked.
func TestTokensRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		claims map[string]any
		ok     bool
	}{
		{"good", nil, true},
		{"old", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, false},
		{"for somebody else", map[string]any{"aud": "other"}, false},
		{"address not checked", map[string]any{"email_verified": false}, false},
		{"another issuer", map[string]any{"iss": "http://127.0.0.1:1"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := keyless.Sign(t.Context(), keyless.Request{
				Rekor: rekor, Email: alice, Claims: test.claims, Artifact: artifact, V1: true,
			})
			if (err == nil) != test.ok {
				t.Errorf("error is %v, want certificate %t", err, test.ok)
			}
		})
	}
}

// The signing configuration is one that Sigstore's clients read, and names a log of either kind.
func TestSigningConfig(t *testing.T) {
	t.Parallel()
	config, err := root.NewSigningConfigFromPath(rekor.Sigstore.SigningConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint32]string{1: rekor.URL, 2: rekor.Sigstore.RekorV2URL} {
		logs, err := root.SelectServices(config.RekorLogURLs(), config.RekorLogURLsConfig(), []uint32{version}, time.Now())
		if err != nil || len(logs) != 1 || logs[0].URL != want {
			t.Errorf("logs of version %d are %+v, %v, want %s", version, logs, err, want)
		}
	}
}
