package bundles_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/modseal/modseal/bundles"
)

// block is the unit of a tar archive.
const block = 512

// patched changes bytes of the first header of an archive, and its checksum, so
// that the archive is a good one of another form.
func patched(archive []byte, offset int, with string) []byte {
	a := bytes.Clone(archive)
	copy(a[offset:], with)
	copy(a[148:156], "        ")
	sum := 0
	for _, b := range a[:block] {
		sum += int(b)
	}
	copy(a[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return a
}

// rewritten writes an archive again with other headers.
func rewritten(t testing.TB, files []file, edit func(i int, h *tar.Header)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: 0o644, ModTime: time.Unix(0, 0)}
		edit(i, h)
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(f.data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// otherHeaders are archives with the same files as the canonical one under
// headers of another form.
func otherHeaders(t testing.TB, files []file) map[string][]byte {
	good := archive(t, files)
	first, size := files[0], len(files[0].data)
	return map[string][]byte{
		"mode 0755":              patched(good, 100, "0000755"),
		"mode without zeros":     patched(good, 100, "   644\x00 "),
		"owner":                  patched(good, 108, "0001750"),
		"group":                  patched(good, 116, "0001750"),
		"size in base 256":       patched(good, 124, "\x80\x00\x00\x00\x00\x00\x00\x00"+string([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})),
		"time":                   patched(good, 136, "00000000001"),
		"type NUL":               patched(good, 156, "\x00"),
		"type 7":                 patched(good, 156, "7"),
		"directory":              patched(good, 156, "5"),
		"symbolic link":          patched(good, 156, "2"),
		"hard link":              patched(good, 156, "1"),
		"device":                 patched(good, 156, "3"),
		"link name":              patched(good, 157, "x"),
		"GNU magic":              patched(good, 257, "ustar  \x00"),
		"no magic":               patched(good, 257, "\x00\x00\x00\x00\x00\x00\x00\x00"),
		"user name":              patched(good, 265, "root"),
		"group name":             patched(good, 297, "root"),
		"device number":          patched(good, 329, "0000001"),
		"device number of NULs":  patched(good, 329, "\x00\x00\x00\x00\x00\x00\x00\x00"),
		"name in the prefix":     patched(patched(good, 0, first.name+"\x00"), 345, "."),
		"bytes after the header": patched(good, 511, "x"),
		"bytes after the name":   patched(good, len(first.name)+1, "x"),
		"checksum of 8 digits":   append(append(bytes.Clone(good[:148]), fmt.Sprintf("0%s\x00", good[148:154])...), good[156:]...),

		"PAX headers": rewritten(t, files, func(i int, h *tar.Header) { h.Format = tar.FormatPAX; h.PAXRecords = map[string]string{"comment": "x"} }),
		"PAX time":    rewritten(t, files, func(i int, h *tar.Header) { h.Format = tar.FormatPAX; h.ModTime = time.Unix(0, 5) }),
		"GNU headers": rewritten(t, files, func(i int, h *tar.Header) { h.Format = tar.FormatGNU }),
	}
}

// otherArchives are archives with more than the canonical one, or less, or with
// another end.
func otherArchives(t testing.TB, files []file) map[string][]byte {
	good := archive(t, files)
	size := len(files[0].data)
	end := len(good) - 2*block
	insert := func(what []byte) []byte { return append(what, good...) }
	header := func(h tar.Header, body string) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		h.Size = int64(len(body))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	forms := map[string][]byte{
		"a PAX global first": insert(header(tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, "")),
		"a directory first":  insert(header(tar.Header{Typeflag: tar.TypeDir, Name: "logs/", Mode: 0o755}, "")),
		"a symlink first":    insert(header(tar.Header{Typeflag: tar.TypeSymlink, Name: "manifest.json", Linkname: "/etc/passwd"}, "")),
		"an extra file":      insert(header(tar.Header{Name: "extra", Mode: 0o644, Format: tar.FormatUSTAR}, "more")),

		"no end":            good[:end],
		"half an end":       good[:end+block],
		"end, then a block": append(bytes.Clone(good), make([]byte, block)...),
		"end, then a byte":  append(bytes.Clone(good), 0),
		"end, then garbage": append(bytes.Clone(good), "garbage"...),
		"end in the middle": append(append(bytes.Clone(good[:block+(size+block-1)/block*block]), make([]byte, 2*block)...), good...),
		"nothing":           {},
		"the end alone":     make([]byte, 2*block),
	}
	if size%block != 0 {
		bad := bytes.Clone(good)
		bad[block+size] = 'x'
		forms["padding"] = bad
	}
	return forms
}

func otherForms(t testing.TB, files []file) map[string][]byte {
	forms := otherHeaders(t, files)
	maps.Copy(forms, otherArchives(t, files))
	return forms
}

// Property: an archive, of the payload or of the frame, has one form: the same
// files in any other are refused.
func TestOtherTars(t *testing.T) {
	payload := write(t, sample(true))
	files := unpack(t, payload)
	if len(files[0].data)%block == 0 {
		t.Fatal("the manifest leaves no padding to test")
	}
	if _, err := open(repacked(t, files)); err != nil {
		t.Fatalf("the canonical form: %v", err)
	}
	for name, a := range otherForms(t, files) {
		if bytes.Equal(a, archive(t, files)) {
			t.Errorf("%s: is the canonical form", name)
		}
		b, err := open(framed(t, compress(t, a)))
		wantDamaged(t, "payload: "+name, b, err)
	}
	if payload = append(payload, skippable(3)...); len(payload)%block == 0 {
		t.Fatal("the payload leaves no padding to test")
	}
	if _, err := open(framed(t, payload)); err != nil {
		t.Fatal(err)
	}
	frame := []file{{"signatures/0.sigstore.json", []byte("a seal")}, {bundles.PayloadName, payload}}
	for name, a := range otherForms(t, frame) {
		b, err := open(a)
		wantDamaged(t, "frame: "+name, b, err)
	}
	for name, a := range otherForms(t, frame[1:]) {
		b, err := open(a)
		wantDamaged(t, "frame without seals: "+name, b, err)
	}
}

// Property: the files of an archive are those that the format names, in its
// order, each once.
func TestOtherFiles(t *testing.T) {
	payload := write(t, sample(true))
	files := unpack(t, payload)
	for i := range files {
		name := files[i].name
		b, err := open(repacked(t, slices.Delete(slices.Clone(files), i, i+1)))
		wantDamaged(t, "without "+name, b, err)
		b, err = open(repacked(t, slices.Insert(slices.Clone(files), i, files[i])))
		wantDamaged(t, "twice "+name, b, err)
		b, err = open(repacked(t, slices.Insert(slices.Clone(files), i, file{"extra", nil})))
		wantDamaged(t, "extra before "+name, b, err)
		renamed := slices.Clone(files)
		renamed[i].name += "x"
		b, err = open(repacked(t, renamed))
		wantDamaged(t, "renamed "+name, b, err)
		if i > 0 {
			swapped := slices.Clone(files)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			b, err = open(repacked(t, swapped))
			wantDamaged(t, "swapped "+name, b, err)
		}
	}
	b, err := open(repacked(t, append(slices.Clone(files), file{"extra", nil})))
	wantDamaged(t, "extra at the end", b, err)

	seal := func(i int) file { return file{fmt.Sprintf("signatures/%d.sigstore.json", i), nil} }
	pay := file{bundles.PayloadName, payload}
	for name, frame := range map[string][]file{
		"seals from 1":         {seal(1), pay},
		"a gap":                {seal(0), seal(2), pay},
		"a seal twice":         {seal(0), seal(0), pay},
		"seals out of order":   {seal(1), seal(0), pay},
		"a seal after":         {pay, seal(0)},
		"two payloads":         {pay, pay},
		"no payload":           {seal(0)},
		"another file first":   {{"README", nil}, pay},
		"another file between": {seal(0), {"README", nil}, pay},
		"payload in a folder":  {{"./" + bundles.PayloadName, payload}},
		"seal 00":              {{"signatures/00.sigstore.json", nil}, pay},
	} {
		b, err := open(archive(t, frame))
		wantDamaged(t, name, b, err)
	}
}

// skippable is a zstd frame of n bytes that decompresses to nothing (RFC 8878,
// Section 3.1.2).
func skippable(n uint32) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte("\x50\x2a\x4d\x18"), n), make([]byte, n)...)
}
