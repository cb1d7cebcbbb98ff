//go:build rekorstack

package main

import (
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/go-openapi/runtime"
	"github.com/go-openapi/runtime/middleware"
	"github.com/sigstore/timestamp-authority/v2/pkg/api"
	"github.com/sigstore/timestamp-authority/v2/pkg/generated/restapi/operations/timestamp"
	tsalog "github.com/sigstore/timestamp-authority/v2/pkg/log"
	"github.com/spf13/viper"
)

const (
	// tsaPolicy is the policy identifier of the timestamp authority's timestamps, the default of its command.
	tsaPolicy  = "1.3.6.1.4.1.57264.2"
	tsaPath    = "/api/v1/timestamp"
	maxTSABody = 1 << 20 // bytes, the default of its command
)

// startTSA serves the timestamp authority's handlers, with a file signer, on a free loopback port. Only the routes are
// ours: its command has a metrics port that is fixed, and its generated server can't be linked beside Rekor's, as both
// register the same flags.
func startTSA(dir string, signer *chain) (base string, err error) {
	keyPath, chainPath := filepath.Join(dir, "tsa.key"), filepath.Join(dir, "tsa-chain.pem")
	if err := writeKey(keyPath, signer.key); err != nil {
		return "", err
	}
	if err := writeCerts(chainPath, signer.certs...); err != nil {
		return "", err
	}
	for name, value := range map[string]any{
		"timestamp-signer":       "file",
		"timestamp-signer-hash":  "sha256",
		"file-signer-key-path":   keyPath,
		"certificate-chain-path": chainPath,
		"default-policy-oid":     tsaPolicy,
		"accepted-policy-oids":   []string{tsaPolicy},
	} {
		viper.Set(name, value)
	}
	// It reports what it can't use by panicking.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	tsalog.ConfigureLogger("prod")
	api.ConfigureAPI()

	mux := http.NewServeMux()
	mux.HandleFunc("POST "+tsaPath, func(w http.ResponseWriter, r *http.Request) {
		params := timestamp.GetTimestampResponseParams{HTTPRequest: r, Request: http.MaxBytesReader(w, r.Body, maxTSABody)}
		respond(w, api.TimestampResponseHandler(params), "application/timestamp-reply", runtime.ByteStreamProducer())
	})
	mux.HandleFunc("GET "+tsaPath+"/certchain", func(w http.ResponseWriter, r *http.Request) {
		params := timestamp.GetTimestampCertChainParams{HTTPRequest: r}
		respond(w, api.GetTimestampCertChainHandler(params), "application/pem-certificate-chain", runtime.TextProducer())
	})
	return serve(mux)
}

func respond(w http.ResponseWriter, answer middleware.Responder, contentType string, producer runtime.Producer) {
	w.Header().Set("Content-Type", contentType)
	answer.WriteResponse(w, producer)
}
