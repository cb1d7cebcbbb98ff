package rekor

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/modseal/modseal/merkle"
)

// maxDepth is how deep an answer may be nested. Rekor's go to 5.
const maxDepth = 16

// maxValues is how many values an answer may have in all: memory is a multiple of
// it. That of a log with as many shards as there may be has about 5,000.
const maxValues = 20_000

// decode reads exactly one JSON value into v. encoding/json would take the last
// of two equal keys, and LOGINDEX for logIndex; here either is an error, so
// that an answer has one reading only. Keys that v doesn't have are allowed:
// newer servers say more.
func decode(data []byte, v any) error {
	if err := checkUnambiguous(data); err != nil {
		return malformed("%w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return malformed("%w", err)
	}
	return nil
}

// container is an object or array that has been entered.
type container struct {
	keys    map[string]bool // of an object; nil for an array
	wantKey bool
}

// checkUnambiguous looks at the keys of the first value in data.
func checkUnambiguous(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var stack []container
	values := 0
	for {
		token, err := d.Token()
		if err != nil {
			return notEOF(err)
		}
		top := len(stack) - 1
		isKey := top >= 0 && stack[top].keys != nil && stack[top].wantKey
		if isEnd := token == json.Delim('}') || token == json.Delim(']'); !isKey && !isEnd {
			values++
		}
		if values > maxValues {
			return fmt.Errorf("JSON of more than %d values", maxValues)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if len(stack) == maxDepth {
				return fmt.Errorf("JSON nested deeper than %d", maxDepth)
			}
			if top >= 0 {
				stack[top].wantKey = stack[top].keys != nil
			}
			c := container{}
			if token == json.Delim('{') {
				c = container{keys: make(map[string]bool), wantKey: true}
			}
			stack = append(stack, c)
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		default:
			if top >= 0 && stack[top].keys != nil {
				if stack[top].wantKey {
					if err := stack[top].enter(token); err != nil {
						return err
					}
				}
				stack[top].wantKey = !stack[top].wantKey
			}
		}
		if len(stack) == 0 {
			return nil
		}
	}
}

// enter notes a key. Keys that differ in case only are the same to
// encoding/json; upper and then lower case maps all that fold to one.
func (c *container) enter(token json.Token) error {
	key, ok := token.(string)
	if !ok {
		return fmt.Errorf("JSON object with the key %v", token)
	}
	folded := strings.ToLower(strings.ToUpper(key))
	if c.keys[folded] {
		return fmt.Errorf("JSON object with the key %s twice", quote(key))
	}
	c.keys[folded] = true
	return nil
}

// notEOF makes the end of the input in the middle of a value an error that
// isn't mistaken for a good end.
func notEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseHash reads a hash of 64 hex digits.
func parseHash(s string) (merkle.Hash, error) {
	var h merkle.Hash
	if len(s) != 2*len(h) {
		return h, fmt.Errorf("hash %s doesn't have %d hex digits", quote(s), 2*len(h))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return h, fmt.Errorf("hash %s isn't hex", quote(s))
	}
	return h, nil
}

func parseHashes(list []string) ([]merkle.Hash, error) {
	if len(list) > maxProof {
		return nil, fmt.Errorf("proof of %d hashes, the limit is %d", len(list), maxProof)
	}
	hashes := make([]merkle.Hash, len(list))
	for i, s := range list {
		h, err := parseHash(s)
		if err != nil {
			return nil, err
		}
		hashes[i] = h
	}
	return hashes, nil
}

// parseBase64 reads padded standard base64 in its one canonical form: the
// decoder skips line ends, which we don't.
func parseBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("base64 with line ends")
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}
