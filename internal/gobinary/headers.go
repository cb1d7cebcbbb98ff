package gobinary

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/modseal/modseal/internal/limit"
)

// Packages debug/elf, debug/pe and debug/macho keep a copy of the name of each section and
// symbol. All of them may have one name, which may be as long as the string table, so a
// file of some megabytes can take any amount of memory. Build info needs no symbols.

// Limits of the tables that are left to those packages.
const (
	maxSections     = 1024     // of an ELF file; Go's have about 40
	maxSectionNames = 64 << 10 // bytes of its section names
	maxCommands     = 64 << 10 // load commands of a Mach-O file
	maxCommandBytes = 8 << 20  // bytes of those
)

var errNoBinary = errors.New("not a Go binary: neither ELF, PE nor Mach-O")

// patched is a file of which some bytes read otherwise.
type patched struct {
	r       io.ReaderAt
	patches map[int64]byte // by offset
}

func (p *patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.r.ReadAt(b, off)
	for at, v := range p.patches {
		if at >= off && at-off < int64(n) {
			b[at-off] = v
		}
	}
	return n, err
}

// withoutSymbols gives the file without its symbols, or an error if its tables are larger
// than any real ones. What it can't read is left for the package that will say what is wrong.
func withoutSymbols(r io.ReaderAt) (io.ReaderAt, error) {
	var head [64]byte
	n, err := r.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	p := &patched{r: r, patches: map[int64]byte{}}
	switch magic := string(head[:4]); {
	case n < len(head):
		return nil, errNoBinary
	case magic == "\x7fELF":
		return r, checkELF(r, head[:])
	case magic[:2] == "MZ":
		return p, p.hidePE(int64(binary.LittleEndian.Uint32(head[0x3c:])))
	case magic == "\xfe\xed\xfa\xce" || magic == "\xfe\xed\xfa\xcf":
		return p, p.hideMachO(binary.BigEndian, head[:])
	case magic == "\xce\xfa\xed\xfe" || magic == "\xcf\xfa\xed\xfe":
		return p, p.hideMachO(binary.LittleEndian, head[:])
	}
	return nil, errNoBinary
}

// checkELF looks at the section headers (System V ABI, Chapter 4). A section 0 may say how
// many there are, and which has the names.
func checkELF(r io.ReaderAt, head []byte) error {
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	wide := head[4] == 2
	// offset of the table, number of sections, the one with names; in a section its size
	table, counts, entry := int64(order.Uint32(head[32:])), head[48:], int64(40)
	if wide {
		table, counts, entry = int64(order.Uint64(head[40:])), head[60:], 64
	}
	number, names := int64(order.Uint16(counts)), int64(order.Uint16(counts[2:]))
	section := func(i int64) (size, link int64) {
		var b [64]byte
		if table < 0 || i > 1<<32 || table > 1<<62 {
			return 0, 0
		}
		if n, _ := r.ReadAt(b[:entry], table+i*entry); int64(n) < entry {
			return 0, 0
		}
		if wide {
			return int64(order.Uint64(b[32:])), int64(order.Uint32(b[40:]))
		}
		return int64(order.Uint32(b[20:])), int64(order.Uint32(b[24:]))
	}
	if size, link := section(0); table != 0 {
		if number == 0 {
			number = size
		}
		if names == 0xffff {
			names = link
		}
	}
	if number < 0 || number > maxSections {
		return &limit.Error{What: "the binary", Max: maxSections, Unit: "sections"}
	}
	if size, _ := section(names); size < 0 || size > maxSectionNames {
		return &limit.Error{What: "the binary", Max: maxSectionNames, Unit: "bytes of section names"}
	}
	return nil
}

// hidePE takes the symbol table out of the COFF header (PE Format, "COFF File Header"), and
// the references to its strings out of the names of the sections.
func (p *patched) hidePE(at int64) error {
	var head [24]byte
	if n, _ := p.r.ReadAt(head[:], at); n < len(head) || string(head[:4]) != "PE\x00\x00" {
		return errNoBinary
	}
	for i := int64(12); i < 20; i++ { // PointerToSymbolTable, NumberOfSymbols
		p.patches[at+i] = 0
	}
	sections := int64(binary.LittleEndian.Uint16(head[6:]))
	if sections > maxSections {
		return &limit.Error{What: "the binary", Max: maxSections, Unit: "sections"}
	}
	first := at + 24 + int64(binary.LittleEndian.Uint16(head[20:]))
	for i := range sections {
		var name [1]byte
		if _, err := p.r.ReadAt(name[:], first+40*i); err == nil && name[0] == '/' {
			p.patches[first+40*i] = '_'
		}
	}
	return nil
}

// hideMachO makes the load commands for symbol tables ones that nobody knows (mach-o/loader.h).
func (p *patched) hideMachO(order binary.ByteOrder, head []byte) error {
	const symtab, dysymtab, unknown = 2, 0xb, 0x7f
	number, size := int64(order.Uint32(head[16:])), int64(order.Uint32(head[20:]))
	if number > maxCommands {
		return &limit.Error{What: "the binary", Max: maxCommands, Unit: "load commands"}
	}
	if size > maxCommandBytes {
		return &limit.Error{What: "the binary", Max: maxCommandBytes, Unit: "bytes of load commands"}
	}
	at := int64(28)
	if head[0] == 0xcf || head[3] == 0xcf {
		at = 32
	}
	for end := at + size; number > 0 && at+8 <= end; number-- {
		var command [8]byte
		if n, _ := p.r.ReadAt(command[:], at); n < len(command) {
			return nil
		}
		if kind := order.Uint32(command[:]); kind == symtab || kind == dysymtab {
			var b [4]byte
			order.PutUint32(b[:], unknown)
			for i := range b {
				p.patches[at+int64(i)] = b[i]
			}
		}
		length := int64(order.Uint32(command[4:]))
		if length < 8 {
			return nil
		}
		at += length
	}
	return nil
}
