package bundles_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/modseal/modseal/bundles"
)

// streamed compresses as one frame with a window descriptor.
func streamed(t testing.TB, data []byte, window int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
	if err != nil {
		t.Fatal(err)
	}
	half := len(data) / 2
	for _, part := range [][]byte{data[:half], data[half:]} {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// stored is a frame of raw blocks that says to have size bytes, and whose window
// is its content: what RFC 8878, Section 3.1.1.1 calls a single segment.
func stored(data []byte, size uint64) []byte {
	const singleSegment, size8 = 1 << 5, 3 << 6
	frame := binary.LittleEndian.AppendUint64([]byte{0x28, 0xb5, 0x2f, 0xfd, singleSegment | size8}, size)
	for len(data) > 0 {
		n := min(len(data), 64<<10)
		last := 0
		if n == len(data) {
			last = 1
		}
		head := uint32(n<<3 | last) // of a raw block
		frame = append(append(frame, byte(head), byte(head>>8), byte(head>>16)), data[:n]...)
		data = data[n:]
	}
	return frame
}

// Property: a frame may ask for a window of 8 MiB and not for more, in either of
// the two ways of asking.
func TestWindow(t *testing.T) {
	tar := decompress(t, write(t, sample(true)))
	for _, c := range []struct {
		name    string
		payload []byte
		ok      bool
	}{
		{"8 MiB", streamed(t, tar, 8<<20), true},
		{"16 MiB", streamed(t, tar, 16<<20), false},
		{"512 MiB", streamed(t, tar, 512<<20), false},
		{"9 MiB", bytes.Replace(streamed(t, tar, 8<<20), []byte{13 << 3}, []byte{13<<3 | 1}, 1), false},
		{"single segment", stored(tar, uint64(len(tar))), true},
	} {
		b, err := open(framed(t, c.payload))
		if !c.ok {
			wantDamaged(t, c.name, b, err)
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	b, err := open(framed(t, stored(tar, 8<<20))) // too few bytes for what it says
	wantDamaged(t, "single segment of 8 MiB", b, err)
	if err == nil || strings.Contains(err.Error(), "exceeds") {
		t.Errorf("single segment of 8 MiB: %v", err)
	}
	for _, size := range []uint64{8<<20 + 1, 1 << 40, 1<<64 - 1} {
		b, err := open(framed(t, stored(tar, size)))
		wantDamaged(t, fmt.Sprintf("single segment of %d bytes", size), b, err)
		if err == nil || !strings.Contains(err.Error(), "exceeds") {
			t.Errorf("single segment of %d bytes: %v", size, err)
		}
	}
}

// Property: several frames, and frames to skip, are one stream; a payload ends
// where its last frame does.
func TestFrames(t *testing.T) {
	p := sample(true)
	tar := decompress(t, write(t, p))
	skip := skippable(5)
	var frames []byte
	for chunk := range bytesChunks(tar, 700) {
		frames = append(append(frames, skip...), compress(t, chunk)...)
	}
	for name, payload := range map[string][]byte{
		"many":             frames,
		"skipped at first": append(bytes.Clone(skip), compress(t, tar)...),
		"skipped at last":  append(compress(t, tar), skip...),
		"an empty one":     append(compress(t, tar), streamed(t, nil, 1<<20)...),
	} {
		b, err := open(framed(t, payload))
		if err != nil || !reflect.DeepEqual(b.Manifest, p.Manifest) || !reflect.DeepEqual(b.Logs, p.Logs) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := compress(t, tar)
	for name, payload := range map[string][]byte{
		"nothing":                  {},
		"skipped alone":            skip,
		"a byte more":              append(bytes.Clone(good), 0),
		"a byte of a frame more":   append(bytes.Clone(good), 0x28),
		"half a magic number more": append(bytes.Clone(good), 0x28, 0xb5),
		"a magic number more":      append(bytes.Clone(good), 0x28, 0xb5, 0x2f, 0xfd),
		"zeros more":               append(bytes.Clone(good), make([]byte, 512)...),
		"a cut frame to skip":      append(bytes.Clone(good), skip[:len(skip)-1]...),
		"a cut head of one":        append(bytes.Clone(good), skip[:6]...),
		"gzip":                     append([]byte{0x1f, 0x8b, 8, 0}, good...),
		"a frame of more":          append(bytes.Clone(good), compress(t, []byte("more"))...),
		"the archive twice":        append(bytes.Clone(good), good...),
		"a dictionary":             append([]byte{0x28, 0xb5, 0x2f, 0xfd, good[4] | 1, 7}, good[5:]...),
		"a reserved bit":           append([]byte{0x28, 0xb5, 0x2f, 0xfd, good[4] | 8}, good[5:]...),
	} {
		b, err := open(framed(t, payload))
		wantDamaged(t, name, b, err)
	}
}

func bytesChunks(b []byte, n int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 && yield(b[:min(n, len(b))]) {
			b = b[min(n, len(b)):]
		}
	}
}

// headersOfHeaders are n headers of 1 MiB for one file, which no tar reader comes to.
func headersOfHeaders(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: bundles.ManifestName, Mode: 0o644, PAXRecords: map[string]string{"MODSEAL.x": strings.Repeat("x", 1<<20-1000)}}); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(b.Bytes()[:b.Len()-512], n)
}

// Property: nothing in a frame is kept that is not a seal. It is read before anybody is
// trusted.
func TestFrameBomb(t *testing.T) {
	file := headersOfHeaders(t, 64)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b, err := open(file)
	runtime.ReadMemStats(&after)
	wantDamaged(t, "headers of a header", b, err)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d MiB were allocated for a frame of %d MiB", used>>20, len(file)>>20)
	}
}

// Property: what decompresses or decodes to far more than it takes is refused
// before it takes memory.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector to find")
	}
	files := unpack(t, write(t, sample(true)))
	manifest := string(files[0].data)
	zeros := func(n int) []byte { return make([]byte, n) }
	list := func(name, element string, n int) []file { // in the manifest's place, cut off
		return []file{{bundles.ManifestName, []byte(manifest[:strings.Index(manifest, `"`+name+`"`)] + `"` + name + `": [` + strings.Repeat(element+",", n))}}
	}
	entries := func(data []byte) []file {
		lied := append([]file{}, files...)
		at(t, lied, "logs/0/entries.jsonl").data = data
		return relisted(t, lied)
	}
	head := manifest[:strings.Index(manifest, `"created"`)]
	instead := func(text string) []byte { return archive(t, []file{{bundles.ManifestName, []byte(head + text)}}) }
	beside := func(log, name, data string) []byte {
		files := unpack(t, write(t, since(2)))
		at(t, files, "logs/"+log+"/"+name).data = []byte(data)
		return archive(t, relisted(t, files))
	}
	refs := manifest[:strings.Index(manifest, `"entries": [`)] + `"entries": [` + strings.Repeat("{},", 1<<20)
	tar := archive(t, files)
	cut := func(name string, size int) []byte { // an archive whose first file is said to be large
		return patched(archive(t, []file{{name, zeros(1)}}), 124, fmt.Sprintf("%011o", size))
	}
	const mib = 1 << 20
	for name, c := range map[string]struct {
		tar []byte
		max uint64 // bytes allocated on the way, beside the decoder's
	}{
		"manifest over its limit":           {append(cut(bundles.ManifestName, bundles.MaxManifest+1), zeros(32*mib)...), mib},
		"manifest that is not there":        {cut(bundles.ManifestName, bundles.MaxManifest), mib},
		"another file":                      {append(cut("bomb", 32*mib), zeros(32*mib)...), mib},
		"headers of a header":               {headersOfHeaders(t, 64), 4 * mib},
		"zeros after the end":               {append(bytes.Clone(tar), zeros(32*mib)...), mib},
		"a listing that is not in the list": {archive(t, append(append([]file{}, files...), file{"listings/" + hexOf("x"), zeros(32 * mib)})), mib},
		"empty lines":                       {archive(t, entries(bytes.Repeat([]byte("\n"), mib))), 16 * mib},
		"more lines than leaves":            {archive(t, entries(bytes.Repeat([]byte("\n"), 4*mib+1))), 16 * mib},
		"empty modules":                     {archive(t, list("modules", "{}", mib)), 16 * mib},
		"empty files":                       {archive(t, list("files", "{}", mib)), 16 * mib},
		"empty logs":                        {archive(t, list("logs", "{}", mib)), 16 * mib},
		"a long string":                     {instead(`"created": "` + strings.Repeat("x", 32*mib)), 12 * mib},
		"spaces":                            {instead(strings.Repeat(" ", 32*mib)), mib},
		"deep nesting":                      {instead(`"created": ` + strings.Repeat("[", 32*mib)), 8 * mib},
		"a long name":                       {instead(`"` + strings.Repeat("x", 32*mib)), mib},
		"a workspace of nothing":            {instead(`"created": "2026-01-02T03:04:05Z",` + "\n" + ` "projects": [{"workspace": [` + strings.Repeat(`"",`, 8*mib) + `""]}]`), 48 * mib},
		"a module without an end":           {archive(t, []file{{bundles.ManifestName, []byte(manifest[:strings.Index(manifest, `"modules"`)] + `"modules": [{"path": "` + strings.Repeat("x", 32*mib))}}), 12 * mib},
		"time stamps of nothing":            {beside("0", "entries.jsonl", `{"index":0,"leaf":"","timestamps":[`+strings.Repeat(`"",`, 2*mib)+`""]}`+"\n"), 36 * mib},
		"a proof of nothing":                {beside("1", "consistency.jsonl", `{"size":2,"proof":[`+strings.Repeat(`"",`, 2*mib)+`""]}`+"\n"), 36 * mib},
		"a module of empty entries":         {archive(t, []file{{bundles.ManifestName, []byte(refs)}}), 24 * mib},
	} {
		payload := compress(t, c.tar)
		file := framed(t, payload)
		if len(file) > mib {
			t.Fatalf("%s: %d bytes are no bomb", name, len(file))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := open(file)
		runtime.ReadMemStats(&after)
		wantDamaged(t, name, b, err)
		const decoder = 10 * mib
		if used := after.TotalAlloc - before.TotalAlloc; used > c.max+decoder {
			t.Errorf("%s: %d MiB were allocated for a file of %d kB", name, used/mib, len(file)/1000)
		}
	}
}
