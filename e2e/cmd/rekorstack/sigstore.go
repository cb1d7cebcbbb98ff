//go:build rekorstack

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/klog/v2"

	"github.com/modseal/modseal/e2e/stack"
)

// startSigstore brings up the rest of Sigstore beside a Rekor, with keys and logs that are new each time, and writes
// what its clients need.
func startSigstore(ctx context.Context, dir string, trillian *net.TCPAddr, rekor rekorLog) (*authorities, error) {
	dir = filepath.Join(dir, "sigstore")
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	all := &authorities{dir: dir, since: time.Now().Add(-clockSkew), services: &stack.Sigstore{}}
	rekor.since = all.since
	all.rekors = []rekorLog{rekor}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"oidc issuer", func() error {
			issuer, err := startIssuer()
			if err == nil {
				all.services.IssuerURL = issuer.url
			}
			return err
		}},
		{"rekor v2", func() (err error) {
			if all.rekor2, err = startRekor2(dir); err != nil {
				return err
			}
			all.services.RekorV2URL = all.rekor2.url
			// It reads its settings from where the next server has its own put.
			return waitFor(ctx, all.rekor2.url+"/healthz")
		}},
		{"timestamp authority", func() (err error) {
			if all.tsa, err = newTSAChain(); err != nil {
				return err
			}
			base, err := startTSA(dir, all.tsa)
			all.services.TSAURL = base + tsaPath
			return err
		}},
		{"ct log", func() (err error) {
			if all.fulcio, err = newFulcioChain(); err != nil {
				return err
			}
			if all.ctLog, err = startCTLog(ctx, dir, trillian, all.fulcio.root()); err == nil {
				all.services.CTLogURL = all.ctLog.url
			}
			return err
		}},
		{"fulcio", func() (err error) {
			all.services.FulcioURL, err = startFulcio(all.fulcio, all.ctLog, all.services.IssuerURL)
			return err
		}},
	} {
		if err := step.run(); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	for _, url := range []string{
		all.rekor2.url + "/checkpoint",
		all.services.TSAURL + "/certchain",
		all.services.CTLogURL + "/ct/v1/get-sth",
		all.services.FulcioURL + "/healthz",
	} {
		if err := waitFor(ctx, url); err != nil {
			return nil, err
		}
	}
	var err error
	if all.services.TrustedRootPath, err = all.writeTrustedRoot(); err != nil {
		return nil, fmt.Errorf("trusted root: %w", err)
	}
	if all.services.SigningConfigPath, err = all.writeSigningConfig(); err != nil {
		return nil, fmt.Errorf("signing config: %w", err)
	}
	return all, nil
}

// serve serves HTTP on a free loopback port for as long as the process runs.
func serve(handler http.Handler) (base string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { klog.Fatalf("HTTP server: %v", server.Serve(listener)) }()
	return "http://" + listener.Addr().String(), nil
}

// waitFor returns when a URL answers 200.
func waitFor(ctx context.Context, url string) error {
	for {
		_, err := get(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
