package tufchain

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/modseal/modseal/internal/limit"
)

// The checks below look for what go-tuf v2.4.2 takes for granted, and would panic
// or take very long without: objects rather than JSON's null, keys of their
// type's length, a moderate number of signatures. They authenticate nothing.

// checkSignatures bounds the signatures, which go-tuf compares with each other.
func checkSignatures(data []byte) error {
	var m struct {
		Signatures []json.RawMessage `json:"signatures"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	if len(m.Signatures) > MaxSignatures {
		return &limit.Error{What: "the file", Max: MaxSignatures, Unit: "signatures"}
	}
	return nil
}

func checkRoot(data []byte) error {
	if err := checkSignatures(data); err != nil {
		return err
	}
	m, err := metadata.Root().FromBytes(data)
	if err != nil {
		return err
	}
	for _, name := range metadata.TOP_LEVEL_ROLE_NAMES {
		if m.Signed.Roles[name] == nil {
			return fmt.Errorf("no role %s", name)
		}
	}
	for name, role := range m.Signed.Roles {
		if role == nil {
			return fmt.Errorf("role %.40q is null", name)
		}
	}
	if len(m.Signed.Keys) > MaxKeys {
		return &limit.Error{What: "the root", Max: MaxKeys, Unit: "keys"}
	}
	for id, key := range m.Signed.Keys {
		if key == nil {
			return fmt.Errorf("key %.80q is null", id)
		}
		if raw, err := hex.DecodeString(key.Value.PublicKey); key.Type == metadata.KeyTypeEd25519 && (err != nil || len(raw) != ed25519.PublicKeySize) {
			return fmt.Errorf("key %.80q is not an Ed25519 key", id)
		}
	}
	return checkVersion(m.Signed.Version)
}

func checkTimestamp(data []byte) error {
	if err := checkSignatures(data); err != nil {
		return err
	}
	m, err := metadata.Timestamp().FromBytes(data)
	if err != nil {
		return err
	}
	if m.Signed.Meta["snapshot.json"] == nil {
		return fmt.Errorf("it names no snapshot.json")
	}
	if err := checkMeta(m.Signed.Meta); err != nil {
		return err
	}
	return checkVersion(m.Signed.Version)
}

func checkSnapshot(data []byte) error {
	if err := checkSignatures(data); err != nil {
		return err
	}
	m, err := metadata.Snapshot().FromBytes(data)
	if err != nil {
		return err
	}
	if err := checkMeta(m.Signed.Meta); err != nil {
		return err
	}
	return checkVersion(m.Signed.Version)
}

// targetNames decodes as metadata.TargetsType does, whose UnmarshalJSON panics
// on a null target before anything is authenticated. It is called for every
// member that encoding/json takes for "signed", as that one is.
type targetNames struct{}

func (*targetNames) UnmarshalJSON(data []byte) error {
	var signed struct {
		Targets map[string]*json.RawMessage `json:"targets"`
	}
	if err := json.Unmarshal(data, &signed); err != nil {
		return err
	}
	for name, t := range signed.Targets {
		if t == nil {
			return fmt.Errorf("target %.80q is null", name)
		}
	}
	return nil
}

func checkTargets(data []byte) error {
	if err := checkSignatures(data); err != nil {
		return err
	}
	var names struct {
		Signed targetNames `json:"signed"`
	}
	if err := json.Unmarshal(data, &names); err != nil {
		return err
	}
	m, err := metadata.Targets().FromBytes(data)
	if err != nil {
		return err
	}
	return checkVersion(m.Signed.Version)
}

func checkMeta(meta map[string]*metadata.MetaFiles) error {
	for name, m := range meta {
		if m == nil {
			return fmt.Errorf("%.80q is null", name)
		}
		if err := checkVersion(m.Version); err != nil {
			return fmt.Errorf("%.80q: %w", name, err)
		}
	}
	return nil
}

func checkVersion(v int64) error {
	if v < 1 {
		return fmt.Errorf("version %d", v)
	}
	return nil
}
