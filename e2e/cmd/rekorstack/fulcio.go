//go:build rekorstack

package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"strings"

	ctclient "github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/sigstore/fulcio/pkg/ca"
	"github.com/sigstore/fulcio/pkg/ca/baseca"
	fulcioconfig "github.com/sigstore/fulcio/pkg/config"
	"github.com/sigstore/fulcio/pkg/generated/protobuf"
	fulciolog "github.com/sigstore/fulcio/pkg/log"
	"github.com/sigstore/fulcio/pkg/server"
	v1 "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"k8s.io/klog/v2"

	"github.com/modseal/modseal/e2e/stack"
)

// startFulcio serves Fulcio's gRPC service, and its HTTP API (version 2) in front of it, on two free loopback ports. It
// does what `fulcio serve --ca fileca` does, without that command's metrics port, which is on all addresses, and without
// the API of version 1. Certificates carry the log's timestamp.
func startFulcio(authority *chain, log *ctLog, issuerURL string) (base string, err error) {
	fulciolog.ConfigureLogger("prod")
	settings, err := fulcioSettings(issuerURL)
	if err != nil {
		return "", err
	}
	logKey, err := x509.MarshalPKIXPublicKey(log.public)
	if err != nil {
		return "", err
	}
	logClient, err := ctclient.New(log.url, http.DefaultClient, jsonclient.Options{
		PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: logKey})),
	})
	if err != nil {
		return "", err
	}
	algorithms, err := signature.NewAlgorithmRegistryConfig([]v1.PublicKeyDetails{
		v1.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		v1.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
		v1.PublicKeyDetails_PKIX_ED25519,
	})
	if err != nil {
		return "", err
	}
	if err := ca.VerifyCertChain(authority.certs, authority.key); err != nil {
		return "", err
	}
	signer := &baseca.BaseCA{SignerWithChain: &ca.SignerCerts{Signer: authority.key, Certs: authority.certs}}
	service := server.NewGRPCCAServer(logClient, signer, algorithms, server.NewIssuerPool(settings))

	rpc := grpc.NewServer(grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			return handler(fulcioconfig.With(ctx, settings), req)
		}))
	protobuf.RegisterCAServer(rpc, service)
	health.RegisterHealthServer(rpc, service)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { klog.Fatalf("Fulcio: %v", rpc.Serve(listener)) }()
	return serveFulcioHTTP(listener.Addr().String())
}

// fulcioSettings takes the e-mail addresses of one issuer's tokens for identities. It asks the issuer for its keys.
func fulcioSettings(issuerURL string) (*fulcioconfig.FulcioConfig, error) {
	data, err := json.Marshal(fulcioconfig.FulcioConfig{OIDCIssuers: map[string]fulcioconfig.OIDCIssuer{
		issuerURL: {IssuerURL: issuerURL, ClientID: stack.TokenAudience, Type: fulcioconfig.IssuerTypeEmail},
	}})
	if err != nil {
		return nil, err
	}
	return fulcioconfig.Read(data)
}

// serveFulcioHTTP serves the gateway that is generated from the gRPC service.
func serveFulcioHTTP(backend string) (base string, err error) {
	conn, err := grpc.NewClient(backend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	mux := runtime.NewServeMux(
		runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			return metadata.Pairs(server.MetadataOIDCTokenKey, token)
		}),
		runtime.WithHealthzEndpoint(health.NewHealthClient(conn)))
	if err := protobuf.RegisterCAHandler(context.Background(), mux, conn); err != nil {
		return "", err
	}
	return serve(mux)
}
