package sign

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	sigstore "github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modseal/modseal/internal/evidence"
	"github.com/modseal/modseal/internal/fetch"
	"github.com/modseal/modseal/internal/rekor"
	"github.com/modseal/modseal/internal/trust"
)

// A Log is a Rekor that signatures are recorded in.
type Log interface {
	// V2 tells the two generations apart.
	V2() bool
	// find gives the signer's entries of the content as the log has them.
	find(ctx context.Context, c Content, by *Credential) ([]evidence.Entry, error)
	// add logs a signature and completes the draft's entry. existed says that the
	// log had it.
	add(ctx context.Context, d *draft) (existed bool, err error)
}

func generation(l Log) string {
	if l.V2() {
		return "2"
	}
	return "1"
}

// LogOptions say where a log is.
type LogOptions struct {
	URL     string
	Version int // 1 or 2; 0 asks the server
	Fetch   *fetch.Client
	Trust   *trust.Material
}

// OpenLog demands that a trusted key signs the log's heads. What is logged
// stays: without it, a log that nobody here trusts would be told of modules.
func OpenLog(ctx context.Context, o LogOptions) (Log, error) {
	v1 := &rekorV1{rekor.New(rekor.Options{URL: o.URL, Fetch: o.Fetch})}
	if o.Version != 2 {
		shards, err := v1.client.Shards(ctx)
		if err == nil {
			_, _, err = o.Trust.RekorLogID(shards[len(shards)-1].Checkpoint) // of the active shard
		}
		if o.Version == 1 || !isAbsent(err) {
			return v1, err
		}
	}
	v2 := &rekorV2{url: strings.TrimRight(o.URL, "/"), fetch: o.Fetch}
	return v2, v2.check(ctx, o.Trust)
}

// isAbsent tells that a server does not know what was asked for.
func isAbsent(err error) bool {
	var e *fetch.Error
	return errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotImplemented)
}

type rekorV1 struct{ client *rekor.Client }

func (l *rekorV1) V2() bool { return false }

// find asks the index, which may miss what is there.
func (l *rekorV1) find(ctx context.Context, c Content, by *Credential) ([]evidence.Entry, error) {
	digest := c.SHA256
	if c.Statement != nil {
		digest = sha256Of(c.Statement)
	}
	who := rekor.SearchBy{PublicKey: by.pem()}
	if by.Certificate != nil {
		subject := subjectOf(by.Certificate)
		if subject == "" {
			return nil, nil
		}
		who = rekor.SearchBy{Subject: subject}
	}
	found, err := l.client.SearchSigned(ctx, digest, who)
	if err != nil {
		return nil, err
	}
	const enough = 10 // one is what is looked for
	uuids := found.UUIDs[:min(enough, len(found.UUIDs))]
	if len(uuids) == 0 {
		return nil, nil
	}
	entries, err := l.client.Entries(ctx, uuids)
	var missing *rekor.MissingError
	if err != nil && !errors.As(err, &missing) {
		return nil, err
	}
	var out []evidence.Entry
	for i := range entries {
		out = append(out, ofV1(&entries[i]))
	}
	return out, nil
}

func ofV1(e *rekor.Entry) evidence.Entry {
	return evidence.Entry{
		Body: e.Body, LogID: e.LogID, LogIndex: e.LogIndex, IntegratedTime: e.IntegratedTime,
		SET: e.SET, Inclusion: e.Inclusion, Checkpoint: e.Checkpoint,
	}
}

func (l *rekorV1) add(ctx context.Context, d *draft) (existed bool, err error) {
	var proposed []byte
	if d.Statement != nil {
		proposed, err = evidence.ProposeDSSE(d.entry.Envelope, d.by.pem())
	} else {
		proposed, err = evidence.ProposeHashedRekord(d.SHA256, d.claim.Signature, d.by.pem())
	}
	if err != nil {
		return false, err
	}
	e, existed, err := l.client.Create(ctx, proposed)
	if err != nil {
		return false, err
	}
	logged := ofV1(&e)
	logged.Envelope, logged.Timestamps = d.entry.Envelope, d.entry.Timestamps
	d.entry = logged
	return existed, nil
}

// rekorV2 is a shard of a Rekor v2, by the one URL at which it is written to and
// read.
type rekorV2 struct {
	url   string
	fetch *fetch.Client
}

const (
	maxCheckpoint = 64 << 10 // bytes
	maxV2Answer   = 1 << 20  // bytes
)

func (l *rekorV2) V2() bool { return true }

func (l *rekorV2) check(ctx context.Context, m *trust.Material) error {
	resp, err := l.fetch.Do(ctx, fetch.Request{URL: l.url + "/checkpoint", Kind: "checkpoint", MaxBytes: maxCheckpoint})
	if err != nil {
		return fmt.Errorf("rekor: %w", err)
	}
	for name := range m.Sigstore.RekorLogs() {
		id, err := hex.DecodeString(name)
		if err != nil || len(id) != 32 {
			continue
		}
		if _, err := m.OpenRekorV2([32]byte(id), resp.Body); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: no trusted key signed the checkpoint of %s", trust.ErrUntrustedLog, l.url)
}

// find finds nothing: Rekor v2 has no search.
func (l *rekorV2) find(context.Context, Content, *Credential) ([]evidence.Entry, error) {
	return nil, nil
}

func (l *rekorV2) add(ctx context.Context, d *draft) (existed bool, err error) {
	b := d.entry.Unlogged(&d.claim)
	log := sigstore.NewRekor(&sigstore.RekorOptions{BaseURL: l.url, Version: 2, ClientV2: l})
	if err := log.GetTransparencyLogEntry(ctx, d.by.pem(), b); err != nil {
		return false, err
	}
	file, err := evidence.MarshalBundle(b)
	if err != nil {
		return false, err
	}
	published, err := evidence.ReadBundle(file)
	if err != nil {
		return false, fmt.Errorf("answer of %s: %w", l.url, err)
	}
	if !published[0].Proven {
		return false, fmt.Errorf("answer of %s: no inclusion proof", l.url)
	}
	d.entry = published[0].Entry
	return false, nil
}

// errConflict says that a Rekor v2 has an entry already.
var errConflict = errors.New("the log has this signature already, and does not hand it out")

// Add implements sigstore-go's client of Rekor v2: with it, requests are made
// again after what may pass, and answers have a limit.
func (l *rekorV2) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	request, ok := entry.(*rekortiles.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("entry of type %T", entry)
	}
	body, err := protojson.Marshal(&rekortiles.CreateEntryRequest{Spec: &rekortiles.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: request}})
	if err != nil {
		return nil, err
	}
	resp, err := l.fetch.Do(ctx, fetch.Request{
		Method: http.MethodPost, URL: l.url + "/api/v2/log/entries", Body: body, ContentType: "application/json", Kind: "create",
		MaxBytes: maxV2Answer, Accept: []int{http.StatusCreated, http.StatusConflict},
	})
	if err != nil {
		return nil, err
	}
	if resp.Status == http.StatusConflict {
		return nil, errConflict
	}
	t := &protorekor.TransparencyLogEntry{}
	if err := protojson.Unmarshal(resp.Body, t); err != nil {
		return nil, fmt.Errorf("answer of %s: %.200q", l.url, err.Error())
	}
	return t, nil
}
