package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// Property: no signing config makes its parser panic, nor what chooses from it.
func FuzzSigningConfig(f *testing.F) {
	const media = `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"`
	service := `{"url":"https://a.example","majorApiVersion":1,"validFor":{"start":"2020-01-01T00:00:00Z"},"operator":"a"}`
	good := media + `,"caUrls":[` + service + `],"oidcUrls":[],"rekorTlogUrls":[` + service + `],"tsaUrls":[` + service + `],"rekorTlogConfig":{"selector":"ANY"},"tsaConfig":{"selector":"EXACT","count":1}}`
	for _, seed := range []string{good, ``, `{}`, `null`, media + `}`, media + `,"rekorTlogUrls":[{}]}`, media + `,"rekorTlogUrls":[null]}`, media + `,"tsaUrls":[` + service + `],"tsaConfig":{"selector":"EXACT","count":4294967295}}`,
		media + `,"caUrls":[` + strings.Repeat(`{},`, 1000) + `{}]}`, strings.Replace(good, `"start"`, `"end"`, 1), media + `,"caUrls":` + strings.Repeat("[", 10000), good + good} {
		f.Add([]byte(seed))
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := root.NewSigningConfigFromJSON(file)
		if err != nil {
			return
		}
		var flags signingFlags
		url := ""
		if err := flags.configureFrom(c, &url, now); err == nil && url == "" {
			t.Error("no log was chosen, and no error")
		}
	})
}
