//go:build rekorstack

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-openapi/loads"
	"github.com/sigstore/rekor/pkg/api"
	"github.com/sigstore/rekor/pkg/generated/restapi"
	"github.com/sigstore/rekor/pkg/generated/restapi/operations"
	"github.com/sigstore/rekor/pkg/log"
	"github.com/spf13/viper"

	// The kinds of entry that Rekor takes register themselves: those that modseal reads, and rekord, which it does not.
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2"
	_ "github.com/sigstore/rekor/pkg/types/rekord/v0.0.1"
)

type rekorConfig struct {
	config
	keyPath         string
	trillian, redis *net.TCPAddr
}

// startRedis serves an empty in-process Redis on a free loopback port.
func startRedis() (*net.TCPAddr, error) {
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr("127.0.0.1:0"); err != nil {
		return nil, err
	}
	return net.ResolveTCPAddr("tcp", redis.Addr())
}

// startRekor makes a tree and serves Rekor's API for it on a free loopback port. It does what `rekor-server serve` does,
// without that command's metrics port, profilers and choice of ports. Rekor keeps its state in package variables: there
// is one in a process.
func startRekor(cfg rekorConfig) (base string, err error) {
	// Rekor reports what it can't use at start by panicking; most of what is wrong here is of that kind.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	log.ConfigureLogger("prod", "")
	if err := configureRekor(cfg); err != nil {
		return "", err
	}
	spec, err := loads.Embedded(restapi.SwaggerJSON, restapi.FlatSwaggerJSON)
	if err != nil {
		return "", err
	}
	server := restapi.NewServer(operations.NewRekorServerAPI(spec))
	api.ConfigureAPI(0) // 0: make a new tree
	server.ConfigureAPI()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	httpServer := &http.Server{Handler: server.GetHandler(), ReadHeaderTimeout: time.Minute}
	go func() { log.Logger.Fatal(httpServer.Serve(listener)) }()
	return "http://" + listener.Addr().String(), nil
}

// configureRekor sets what rekor-server takes from its flags. What is left out is off, empty or unlimited; among the
// signing algorithms of entries, empty is all.
func configureRekor(cfg rekorConfig) error {
	settings := map[string]any{
		"rekor_server.hostname":         cfg.hostname,
		"rekor_server.signer":           cfg.keyPath,
		"trillian_log_server.address":   cfg.trillian.IP.String(),
		"trillian_log_server.port":      cfg.trillian.Port,
		"search_index.storage_provider": "redis",
		"redis_server.address":          cfg.redis.IP.String(),
		"redis_server.port":             strconv.Itoa(cfg.redis.Port),
		"enabled_api_endpoints": []string{
			"searchIndex", "getLogInfo", "getPublicKey", "getLogProof", "createLogEntry",
			"getLogEntryByIndex", "getLogEntryByUUID", "searchLogQuery",
		},
	}
	if cfg.attestations {
		dir := filepath.Join(cfg.dir, "attestations")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// Plain files beside each other: no temporary folder elsewhere, no .attrs files.
		bucket := url.URL{Scheme: "file", Path: filepath.ToSlash(dir), RawQuery: "no_tmp_dir=true&metadata=skip"}
		settings["enable_attestation_storage"] = true
		settings["attestation_storage_bucket"] = bucket.String()
	}
	for name, value := range settings {
		viper.Set(name, value)
	}
	return nil
}

// waitForRekor returns the tree's ID as soon as Rekor's two plainest questions are answered.
func waitForRekor(ctx context.Context, base string) (treeID string, err error) {
	for {
		treeID, err = askRekor(ctx, base)
		if err == nil {
			return treeID, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no answer: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func askRekor(ctx context.Context, base string) (treeID string, err error) {
	if _, err := get(ctx, base+"/ping"); err != nil {
		return "", err
	}
	body, err := get(ctx, base+"/api/v1/log")
	if err != nil {
		return "", err
	}
	var info struct{ TreeID string }
	if err := json.Unmarshal(body, &info); err != nil {
		return "", err
	}
	if info.TreeID == "" {
		return "", fmt.Errorf("no tree ID in %q", body)
	}
	return info.TreeID, nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	// A transport of its own: no proxy from the environment is asked for a loopback address.
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %q", url, resp.Status, body)
	}
	return body, nil
}
