package sumdb

import (
	"errors"
	"fmt"

	"golang.org/x/mod/module"
)

// ErrNotFound says that the database has no record of a module and couldn't
// make one. The error that wraps it has the database's reason.
var ErrNotFound = errors.New("not in the checksum database")

// A HeadError is a tree head that isn't what the database signs.
type HeadError struct {
	Database string
	Err      error
}

func (e *HeadError) Error() string {
	return fmt.Sprintf("checksum database %s: bad tree head: %v", e.Database, e.Err)
}

// Unwrap returns the cause, such as a *note.UnverifiedNoteError.
func (e *HeadError) Unwrap() error { return e.Err }

// A RecordError is an answer to a lookup that isn't a record of the module.
type RecordError struct {
	Module module.Version
	Err    error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("checksum database: bad record of %s: %v", e.Module, e.Err)
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// A TileError says that the tiles at hand don't make up the tree.
type TileError struct {
	Database string
	Head     Head // without the note if the tree was the caller's
	Err      error
}

func (e *TileError) Error() string {
	return fmt.Sprintf("checksum database %s: tiles of the tree of size %d: %v", e.Database, e.Head.Tree.Size, e.Err)
}

// Unwrap returns the cause.
func (e *TileError) Unwrap() error { return e.Err }

// A ForkError is proof that the database broke its promise: it signed both
// heads, but the older tree isn't the beginning of the newer one. Keep the
// notes.
type ForkError struct {
	Database   string
	Old, New   Head
	RootAtSize [32]byte // the root that the newer tree has at the older one's size
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("checksum database %s signed two histories:\n%s\nand\n%s\nbut the second tree has root %x at size %d",
		e.Database, e.Old.Note, e.New.Note, e.RootAtSize, e.Old.Tree.Size)
}
