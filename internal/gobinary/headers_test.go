package gobinary_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/modseal/modseal/internal/gobinary"
	"github.com/modseal/modseal/internal/limit"
)

// Property: tables of an ELF file are read up to their limits, which one more exceeds, in
// both classes and byte orders; wherever the header says how many there are.
func TestELFTables(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, wide := range []bool{false, true} {
			for _, extended := range []bool{false, true} {
				for sections, over := range map[int]bool{1024: false, 1025: true} {
					checkOver(t, sections, over, tables(order, wide, extended, sections, 0))
				}
				for names, over := range map[int]bool{64 << 10: false, 64<<10 + 1: true} {
					checkOver(t, names, over, tables(order, wide, extended, 2, names))
				}
			}
		}
	}
}

func checkOver(t *testing.T, n int, over bool, file []byte) {
	t.Helper()
	b, err := gobinary.Read("app", bytes.NewReader(file), int64(len(file)))
	if b != nil || over != errors.Is(err, limit.ErrExceeded) {
		t.Errorf("%d: %v", n, err)
	}
}

// tables is an ELF header and its section headers.
func tables(put binary.ByteOrder, wide, extended bool, sections, names int) []byte {
	entry, table, counts, size, link := 40, 32, 48, 20, 24
	if wide {
		entry, table, counts, size, link = 64, 40, 60, 32, 40
	}
	b := make([]byte, 64+entry*sections)
	copy(b, "\x7fELF\x01\x01\x01")
	if wide {
		b[4] = 2
	}
	if put == binary.BigEndian {
		b[5] = 2
	}
	word := func(at, v int) {
		if wide {
			put.PutUint64(b[at:], uint64(v))
		} else {
			put.PutUint32(b[at:], uint32(v))
		}
	}
	word(table, 64)
	word(64+entry+size, names)
	if extended {
		word(64+size, sections)
		put.PutUint32(b[64+link:], 1)
		put.PutUint16(b[counts+2:], 0xffff)
	} else {
		put.PutUint16(b[counts:], uint16(sections))
		put.PutUint16(b[counts+2:], 1)
	}
	return b
}

// Property: load commands of a Mach-O file, and sections of a PE file, are read up to their
// limits, which one more exceeds.
func TestMachOAndPETables(t *testing.T) {
	for commands, over := range map[uint32]bool{64 << 10: false, 64<<10 + 1: true} {
		file := macho(blob("path\tx\n"))
		binary.LittleEndian.PutUint32(file[16:], commands)
		checkOver(t, int(commands), over, file)
	}
	for size, over := range map[uint32]bool{8 << 20: false, 8<<20 + 1: true} {
		file := macho(blob("path\tx\n"))
		binary.LittleEndian.PutUint32(file[20:], size)
		checkOver(t, int(size), over, file)
	}
	for sections, over := range map[uint16]bool{1024: false, 1025: true} {
		file := make([]byte, 0x200)
		copy(file, "MZ")
		file[0x3c] = 0x80
		copy(file[0x80:], "PE\x00\x00\x64\x86")
		binary.LittleEndian.PutUint16(file[0x86:], sections)
		checkOver(t, int(sections), over, file)
	}
}

// Property: what is none of the three formats is not looked into, and neither is a file
// that ends in its first header.
func TestOtherFormats(t *testing.T) {
	for _, begin := range []string{"", "\x7fELF", "MZ", "\x01\xdf", "\x01\xf7", "\x00\x00\x8a\x97", "#!/bin/sh\n", "\x00asm"} {
		file := []byte(begin)
		if len(begin) > 4 || strings.HasPrefix(begin, "\x01") || strings.HasPrefix(begin, "\x00") {
			file = append(file, make([]byte, 1000)...)
		}
		if b, err := read(file); b != nil || err == nil || !strings.Contains(err.Error(), "neither ELF, PE nor Mach-O") {
			t.Errorf("%q: %v", begin, err)
		}
	}
}

// Property: a binary that is cut anywhere before its build info ends is an error.
func TestTruncatedBinaries(t *testing.T) {
	text := "path\texample.com/app\ndep\texample.com/m\tv1.0.0\t" + h1 + "\n"
	for _, file := range [][]byte{elf(blob(text)), macho(blob(text))} {
		whole, err := read(file)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(file) {
			b, err := read(file[:n])
			if err == nil && len(b.Modules) != len(whole.Modules) {
				t.Fatalf("cut at %d of %d: %+v", n, len(file), b)
			}
		}
		if b, err := read(file[:len(file)/2]); err == nil {
			t.Errorf("half a file: %+v", b)
		}
	}
}
