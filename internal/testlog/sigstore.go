package testlog

import (
	"crypto/x509"
	"encoding/json"
	"time"
)

// Sigstore is who a trusted root is about.
type Sigstore struct {
	Rekor  []*Rekor
	V2     []*RekorV2
	Fulcio []*CA
	TSA    []*TSA
}

// TrustedRoot is trusted_root.json (media type version 0.1, by trustroot.proto in
// github.com/sigstore/protobuf-specs) with all of them, from a year before Epoch.
func (s Sigstore) TrustedRoot() []byte {
	from := object{"start": Epoch().AddDate(-1, 0, 0).Format(time.RFC3339)}
	log := func(url string, id [32]byte, spki []byte, kind string) object {
		return object{
			"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": object{"keyId": id[:]},
			"publicKey": object{"rawBytes": spki, "keyDetails": kind, "validFor": from},
		}
	}
	authority := func(url string, chain ...*x509.Certificate) object {
		var list []object
		for _, c := range chain {
			list = append(list, object{"rawBytes": c.Raw})
		}
		return object{"uri": url, "subject": object{"organization": "test", "commonName": "test"}, "certChain": object{"certificates": list}, "validFor": from}
	}
	var logs, authorities, stamps []object
	for _, r := range s.Rekor {
		for _, shard := range r.Shards() {
			logs = append(logs, log("https://"+r.Host, shard.LogID(), spki(shard.key), "PKIX_ECDSA_P256_SHA_256"))
		}
	}
	for _, r := range s.V2 {
		logs = append(logs, log("https://"+r.Host, r.LogID(), must(x509.MarshalPKIXPublicKey(r.PublicKey())), "PKIX_ED25519"))
	}
	for _, ca := range s.Fulcio {
		authorities = append(authorities, authority("https://fulcio.example", ca.Certificate))
	}
	for _, t := range s.TSA {
		stamps = append(stamps, authority("https://tsa.example", t.Leaf, t.Root))
	}
	return must(json.Marshal(object{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":     logs, "certificateAuthorities": authorities, "timestampAuthorities": stamps,
	}))
}
