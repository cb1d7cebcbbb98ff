package state

import "github.com/modseal/modseal/verify"

// EncodeWithLimits and DecodeWithLimits have limits that are not too large to come close to.
func EncodeWithLimits(s *verify.State, file, heads int) ([]byte, error) {
	return encode(s, limits{file, heads})
}

func DecodeWithLimits(b []byte, file, heads int) (*verify.State, error) {
	return decode(b, limits{file, heads})
}
