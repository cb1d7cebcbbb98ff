package rekor

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/modseal/modseal/merkle"
)

const (
	treeIDDigits = 16
	leafDigits   = 2 * merkle.HashSize
)

// A UUID names an entry by its content: 64 hex digits of the leaf hash,
// preceded by 16 hex digits of the ID of the tree (shard) that it is in. The
// tree ID is missing in the UUIDs of Rekor's first years, which its search
// index may still give. Make one with [ParseUUID].
type UUID string

// ParseUUID accepts both forms, and returns the UUID in lower case.
func ParseUUID(s string) (UUID, error) {
	if len(s) != leafDigits && len(s) != treeIDDigits+leafDigits {
		return "", fmt.Errorf("entry UUID %s doesn't have %d or %d hex digits", quote(s), treeIDDigits+leafDigits, leafDigits)
	}
	if _, err := hex.DecodeString(s); err != nil {
		return "", fmt.Errorf("entry UUID %s isn't hex", quote(s))
	}
	u := UUID(strings.ToLower(s))
	if len(s) == leafDigits {
		return u, nil
	}
	if id, err := strconv.ParseUint(s[:treeIDDigits], 16, 64); err != nil || id == 0 || id > math.MaxInt64 {
		return "", fmt.Errorf("entry UUID %s has an impossible tree ID", quote(s))
	}
	return u, nil
}

// TreeID is the decimal ID of the tree, as in [Shard.TreeID], or "" if the UUID
// doesn't say.
func (u UUID) TreeID() string {
	if len(u) != treeIDDigits+leafDigits {
		return ""
	}
	id, err := strconv.ParseUint(string(u[:treeIDDigits]), 16, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatUint(id, 10)
}

// leaf is the part of the UUID that all trees share.
func (u UUID) leaf() string {
	return string(u[max(0, len(u)-leafDigits):])
}

// makeUUID is the inverse of [UUID.TreeID] and leaf.
func makeUUID(treeID string, leaf merkle.Hash) (UUID, error) {
	id, err := parseTreeID(treeID)
	if err != nil {
		return "", err
	}
	return UUID(fmt.Sprintf("%0*x%x", treeIDDigits, id, leaf)), nil
}

// parseTreeID reads a tree ID, which Rekor has as a positive int64 in decimal.
func parseTreeID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 63)
	if err != nil || id == 0 || strconv.FormatUint(id, 10) != s {
		return 0, fmt.Errorf("tree ID %s isn't a positive decimal number", quote(s))
	}
	return id, nil
}

// quote makes hostile text fit for a message.
func quote(s string) string {
	const limit = 100
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}
