package evidence

import "github.com/sigstore/sigstore-go/pkg/root"

// NewStamper is how an authority is asked, where verify does the asking.
func NewStamper(a *root.SigstoreTimestampingAuthority, verify root.TimestampingAuthority) root.TimestampingAuthority {
	s := newStamper(a)
	s.TimestampingAuthority = verify
	return s
}
