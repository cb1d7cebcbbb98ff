//go:build rekorstack

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/google/certificate-transparency-go/trillian/ctfe"
	"github.com/google/certificate-transparency-go/trillian/ctfe/configpb"
	"github.com/google/trillian"
	"github.com/google/trillian/client"
	"github.com/google/trillian/crypto/keys"
	"github.com/google/trillian/crypto/keys/der"
	"github.com/google/trillian/crypto/keyspb"
	"github.com/google/trillian/monitoring"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	ctPrefix   = "ct-log"
	ctDeadline = 30 * time.Second // for one question to Trillian
)

// ctLog is a certificate transparency log (RFC 6962): the personality that Google and Let's Encrypt ran on Trillian, on a
// tree of its own in the Trillian that Rekor uses.
type ctLog struct {
	url    string // with the log's prefix
	public *ecdsa.PublicKey
}

// startCTLog takes certificates for code signing below one root.
func startCTLog(ctx context.Context, dir string, backend *net.TCPAddr, root *x509.Certificate) (*ctLog, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rootPath := filepath.Join(dir, "fulcio-root.pem")
	if err := writeCerts(rootPath, root); err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(backend.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	logClient := trillian.NewTrillianLogClient(conn)
	tree, err := client.CreateAndInitTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState:       trillian.TreeState_ACTIVE,
		TreeType:        trillian.TreeType_LOG,
		MaxRootDuration: durationpb.New(0),
	}}, trillian.NewTrillianAdminClient(conn), logClient)
	if err != nil {
		return nil, err
	}
	config, err := ctConfig(tree.TreeId, key, rootPath)
	if err != nil {
		return nil, err
	}
	log, err := ctfe.SetUpInstance(ctx, ctfe.InstanceOptions{
		Validated:     config,
		Client:        logClient,
		Deadline:      ctDeadline,
		MetricFactory: monitoring.InertMetricFactory{},
		RequestLog:    new(ctfe.DefaultRequestLog),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, handler := range log.Handlers {
		mux.Handle(path, handler)
	}
	url, err := serve(mux)
	return &ctLog{url: url + "/" + ctPrefix, public: &key.PublicKey}, err
}

func ctConfig(tree int64, key *ecdsa.PrivateKey, rootPath string) (*ctfe.ValidatedLogConfig, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	private, err := anypb.New(&keyspb.PrivateKey{Der: pkcs8})
	if err != nil {
		return nil, err
	}
	keys.RegisterHandler(&keyspb.PrivateKey{}, der.FromProto)
	config, err := ctfe.ValidateLogConfig(&configpb.LogConfig{
		LogId:        tree,
		Prefix:       ctPrefix,
		RootsPemFile: []string{rootPath},
		ExtKeyUsages: []string{"CodeSigning"},
		PrivateKey:   private,
	})
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return config, nil
}
