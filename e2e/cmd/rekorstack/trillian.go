//go:build rekorstack

package main

import (
	"context"
	"net"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	"github.com/google/trillian/log"
	"github.com/google/trillian/monitoring"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc"
	"k8s.io/klog/v2"
)

// batchSize is the most leaves that one sequencing pass takes.
const batchSize = 1000

// startTrillian serves Trillian's log and admin services, with their sequencer, on a free loopback port. The storage is
// Trillian's own memory storage, which none of its commands offers; [logStorage] makes up for what it lacks.
func startTrillian() (*net.TCPAddr, error) {
	metrics := monitoring.InertMetricFactory{}
	trees := memory.NewTreeStorage()
	logs := newLogStorage(memory.NewLogStorage(trees, metrics))
	registry := extension.Registry{
		AdminStorage:  memory.NewAdminStorage(trees),
		LogStorage:    logs,
		QuotaManager:  quota.Noop(),
		MetricFactory: metrics,
	}
	logServer := server.NewTrillianLogRPCServer(registry, clock.System)
	if err := logServer.IsHealthy(); err != nil {
		return nil, err
	}
	go logs.sequencer.run(func() { sequence(registry) })

	rpc := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianLogServer(rpc, logServer)
	trillian.RegisterTrillianAdminServer(rpc, admin.New(registry, []trillian.TreeType{trillian.TreeType_LOG}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { klog.Fatalf("gRPC server: %v", rpc.Serve(listener)) }()
	return listener.Addr().(*net.TCPAddr), nil
}

// sequence integrates what is queued, in every log.
func sequence(registry extension.Registry) {
	ctx := context.Background()
	trees, err := registry.GetActiveLogIDs(ctx)
	if err != nil {
		klog.Errorf("active logs: %v", err)
		return
	}
	sequencer := log.NewSequencerManager(registry, 0)
	info := &log.OperationInfo{Registry: registry, BatchSize: batchSize, TimeSource: clock.System}
	for _, tree := range trees {
		for {
			n, err := sequencer.ExecutePass(ctx, tree, info)
			if err != nil {
				klog.Errorf("tree %d: %v", tree, err)
			}
			if n < batchSize {
				break
			}
		}
	}
}
