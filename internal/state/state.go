// Package state reads and writes the file in which an enclave keeps what it has
// accepted: JSON in one encoding, that of Go's encoding/json without HTML
// escapes, indented by one space, with a newline at the end.
//
//	{
//	 "mediaType": "application/vnd.modseal.state.v1+json",
//	 "created": "2026-01-02T03:04:05Z",      newest bundle's time, if one was sealed
//	 "tufRoot": 14,                          newest TUF root, if one was trusted
//	 "heads": [                              sorted by kind, name, logID, checkpoint
//	  {
//	   "kind": "rekor-v1",
//	   "name": "rekor.example - 1234",
//	   "logID": "…",
//	   "checkpoint": "rekor.example - 1234\n7\n…\n\n— rekor.example …\n"
//	  }
//	 ]
//	}
//
// Heads are signed notes as the logs served them, so that they are evidence. The
// file is the enclave's own, and whoever can write it can take back what it
// remembers: nothing in it is authenticated here.
package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/modseal/modseal/bundles"
	"github.com/modseal/modseal/internal/limit"
	"github.com/modseal/modseal/verify"
)

// MediaType names version 1 of the format.
const MediaType = "application/vnd.modseal.state.v1+json"

// Limits of the format. Each is the largest value that is accepted.
const (
	MaxFile  = 16 << 20 // bytes of a state file
	MaxHeads = 16384    // heads in it
	maxName  = 512      // bytes of a log's name
)

// ErrDamaged says that a file is not a state file.
var ErrDamaged = errors.New("damaged state file")

// file is the JSON.
type file struct {
	MediaType string `json:"mediaType"`
	Created   string `json:"created,omitempty"`
	TUFRoot   int64  `json:"tufRoot,omitempty"`
	Heads     list   `json:"heads"`
}

type head struct {
	Kind       bundles.Kind `json:"kind"`
	Name       string       `json:"name"`
	LogID      string       `json:"logID,omitempty"`
	Checkpoint string       `json:"checkpoint"`
}

// list is read element by element: one that is too long ends before it takes
// memory.
type list []head

// UnmarshalJSON implements json.Unmarshaler.
func (l *list) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.New("heads is not a list")
	}
	*l = list{}
	for d.More() {
		var h head
		if len(*l) == MaxHeads {
			return &limit.Error{What: "state file", Max: MaxHeads, Unit: "heads"}
		}
		if err := d.Decode(&h); err != nil {
			return err
		}
		*l = append(*l, h)
	}
	return nil
}

// limits are those of the format as values, so that tests can come close to them.
type limits struct{ file, heads int }

func formatLimits() limits { return limits{MaxFile, MaxHeads} }

// Encode gives the one encoding of a state. What Decode would refuse is an error.
func Encode(s *verify.State) ([]byte, error) { return encode(s, formatLimits()) }

func encode(s *verify.State, lim limits) ([]byte, error) {
	f := file{MediaType: MediaType, TUFRoot: s.Root, Heads: make(list, len(s.Heads))}
	if !s.Created.IsZero() {
		f.Created = s.Created.UTC().Format(time.RFC3339)
	}
	for i, h := range s.Heads {
		f.Heads[i] = head{h.Kind, h.Name, h.LogID, string(h.Checkpoint)}
	}
	if _, err := f.state(lim); err != nil {
		return nil, err
	}
	b, err := f.encode()
	if err == nil && len(b) > lim.file {
		err = &limit.Error{What: "state file", Max: int64(lim.file), Unit: "bytes"}
	}
	return b, err
}

func (f *file) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(f)
	return b.Bytes(), err
}

// Decode reads a state file. The heads' signatures are not looked at.
func Decode(b []byte) (*verify.State, error) { return decode(b, formatLimits()) }

func decode(b []byte, lim limits) (*verify.State, error) {
	if len(b) > lim.file {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, &limit.Error{What: "state file", Max: int64(lim.file), Unit: "bytes"})
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%w: %.200q", ErrDamaged, err.Error()) // which quotes the file
	}
	s, err := f.state(lim)
	if err == nil {
		again, encodeErr := f.encode()
		if err = encodeErr; err == nil && !bytes.Equal(again, b) {
			err = errors.New("not in its canonical encoding")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}

// state checks order and ranges.
func (f *file) state(lim limits) (*verify.State, error) {
	if f.MediaType != MediaType {
		return nil, fmt.Errorf("media type %.100q (this version reads %s)", f.MediaType, MediaType)
	}
	s := &verify.State{Root: f.TUFRoot}
	if f.Created != "" {
		t, err := time.Parse(time.RFC3339, f.Created)
		if err != nil || t.IsZero() || t.UTC().Format(time.RFC3339) != f.Created {
			return nil, fmt.Errorf("created %.40q is not RFC 3339 in UTC", f.Created)
		}
		s.Created = t
	}
	switch {
	case f.TUFRoot < 0:
		return nil, fmt.Errorf("tufRoot %d", f.TUFRoot)
	case f.Heads == nil:
		return nil, errors.New("no heads")
	case len(f.Heads) > lim.heads:
		return nil, &limit.Error{What: "state file", Max: int64(lim.heads), Unit: "heads"}
	}
	for i, h := range f.Heads {
		if err := h.check(); err != nil {
			return nil, err
		}
		s.Heads = append(s.Heads, verify.SeenHead{Kind: h.Kind, Name: h.Name, LogID: h.LogID, Checkpoint: []byte(h.Checkpoint)})
		if i > 0 && verify.CompareHeads(s.Heads[i-1], s.Heads[i]) >= 0 {
			return nil, errors.New("heads are not sorted, or one is there twice")
		}
	}
	return s, nil
}

func (h *head) check() error {
	if h.Name == "" || len(h.Name) > maxName || !utf8.ValidString(h.Name) || strings.ContainsAny(h.Name, "\n\r") {
		return fmt.Errorf("log name %.60q", h.Name)
	}
	switch h.Kind {
	case bundles.SumDB:
		if h.LogID != "" {
			return fmt.Errorf("checksum database %.60q has a log ID", h.Name)
		}
	case bundles.RekorV1, bundles.RekorV2:
		if _, err := bundles.ParseHex(h.LogID); err != nil {
			return fmt.Errorf("log %.60q: log ID %.80q", h.Name, h.LogID)
		}
	default:
		return fmt.Errorf("log kind %.60q", h.Kind)
	}
	if len(h.Checkpoint) == 0 || len(h.Checkpoint) > bundles.MaxCheckpoint || !utf8.ValidString(h.Checkpoint) {
		return fmt.Errorf("log %.60q: checkpoint of %d bytes", h.Name, len(h.Checkpoint))
	}
	return nil
}
