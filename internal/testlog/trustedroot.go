package testlog

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// A TrustedLog is a shard as a trusted_root.json names it. A zero From is a year
// before Epoch, a zero To is no end.
type TrustedLog struct {
	Shard    *Shard
	From, To time.Time
}

// TrustedRoot is a trusted_root.json (media type version 0.1) that names these
// shards and nothing else.
func TrustedRoot(logs ...TrustedLog) []byte {
	var tlogs []any
	for _, l := range logs {
		id := l.Shard.LogID()
		if l.From.IsZero() {
			l.From = Epoch().AddDate(-1, 0, 0)
		}
		valid := object{"start": l.From.UTC().Format(time.RFC3339)}
		if !l.To.IsZero() {
			valid["end"] = l.To.UTC().Format(time.RFC3339)
		}
		tlogs = append(tlogs, object{
			"baseUrl": "https://" + l.Shard.host, "hashAlgorithm": "SHA2_256",
			"publicKey": object{"rawBytes": base64.StdEncoding.EncodeToString(spki(l.Shard.key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid},
			"logId":     object{"keyId": base64.StdEncoding.EncodeToString(id[:])},
		})
	}
	return must(json.MarshalIndent(object{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "tlogs": tlogs}, "", "  "))
}
