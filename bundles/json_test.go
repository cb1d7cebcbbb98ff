package bundles_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/modseal/modseal/bundles"
)

// Property: JSON in a payload has one encoding, which is that of docs/format.md,
// Section 3; every other spelling of the same values is refused.
func TestOtherManifests(t *testing.T) {
	files := unpack(t, write(t, sample(true)))
	good := string(files[0].data)
	if _, err := bundles.DecodeManifest([]byte(good)); err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) string {
		if s := strings.Replace(good, old, new, 1); s != good {
			return s
		}
		t.Fatalf("%q is not in the manifest", old)
		return ""
	}
	for name, bad := range map[string]string{
		"no newline at the end":      strings.TrimSuffix(good, "\n"),
		"two newlines":               good + "\n",
		"trailing object":            good + "{}\n",
		"trailing NUL":               good + "\x00",
		"byte order mark":            "\ufeff" + good,
		"tabs":                       strings.ReplaceAll(good, "\n ", "\n\t"),
		"two spaces":                 strings.ReplaceAll(good, "\n ", "\n  "),
		"carriage returns":           strings.ReplaceAll(good, "\n", "\r\n"),
		"space before a colon":       replace(`"created":`, `"created" :`),
		"one line":                   strings.ReplaceAll(good, "\n", ""),
		"a member twice":             replace(`"created"`, `"created": "2026-01-02T03:04:05Z",`+"\n"+` "created"`),
		"an unknown member":          replace(` "created"`, ` "note": "hello",`+"\n"+` "created"`),
		"an unknown member inside":   replace(`"leftOut": 2`, `"leftOut": 2,`+"\n   "+`"note": 1`),
		"no ignored files":           replace(`"leftOut": 2`, `"leftOut": 2,`+"\n   "+`"vendor": {`+"\n    "+`"ignored": []`+"\n   }"),
		"a vendor that is null":      replace(`"leftOut": 2`, `"leftOut": 2,`+"\n   "+`"vendor": null`),
		"another case":               replace(`"created"`, `"Created"`),
		"another case inside":        replace(`"zip"`, `"ZIP"`),
		"another order":              replace(` "listings": true,`+"\n", "") + ` "listings": true`,
		"an escape":                  replace("example.com/main", `example.com\/main`),
		"an escape by number":        replace("example.com/main", `\u0065xample.com/main`),
		"an HTML escape":             replace("example.com/main", `example.com/main\u003c`),
		"an invalid surrogate":       replace("example.com/main", `example.com/main\ud800`),
		"invalid UTF-8":              replace("example.com/main", "example.com/main\xff"),
		"a raw control character":    replace("example.com/main", "example.com/main\x01"),
		"1e0 for 1":                  replace(`"log": 1`, `"log": 1e0`),
		"1.0 for 1":                  replace(`"log": 1`, `"log": 1.0`),
		"01 for 1":                   replace(`"log": 1`, `"log": 01`),
		"-0 for 0":                   replace(`"index": 0`, `"index": -0`),
		"a number as a string":       replace(`"index": 0`, `"index": "0"`),
		"a number that is too large": replace(`"index": 0`, `"index": 18446744073709551616`),
		"a negative index":           replace(`"index": 0`, `"index": -1`),
		"null for a string":          replace(`"example.com/main"`, `null`),
		"null for false":             replace(`"listings": true`, `"listings": null`),
		"null for no projects":       replace("[\n  {\n   \"module\": \"example.com/main\",\n   \"go\": \"1.26\"\n  }\n ]", "null"),
		"null for an object":         replace("{\n   \"module\": \"example.com/main\",\n   \"go\": \"1.26\"\n  }", "null"),
		"empty what is left out":     replace(`"go": "1.26"`, `"go": ""`),
		"zero what is left out":      replace(`"leftOut": 2`, `"leftOut": 0`),
		"an empty workspace":         replace(`"go": "1.26"`, `"go": "1.26",`+"\n"+`   "workspace": []`),
		"null what is left out":      replace(`"leftOut": 2`, `"leftOut": null`),
		"a missing member":           replace(` "listings": true,`+"\n", ""),
		"a list":                     "[]\n",
		"null":                       "null\n",
		"nothing":                    "",
		"deeply nested":              replace(`"example.com/main"`, strings.Repeat("[", 20000)),
	} {
		m, err := bundles.DecodeManifest([]byte(bad))
		if m != nil || !errors.Is(err, bundles.ErrDamaged) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

// Property: a list is a list of objects, each with what makes one.
func TestOtherLists(t *testing.T) {
	good := string(unpack(t, write(t, sample(true)))[0].data)
	for _, list := range []string{"logs", "modules", "files"} {
		begin := strings.Index(good, fmt.Sprintf("\n %q: [", list)) + len(list) + 6
		end := begin + strings.Index(good[begin:], "\n ]") + 3
		for _, other := range []string{"null", "{}", "false", `""`, "[null]", "[[]]", "[{}]", "[1]"} {
			m, err := bundles.DecodeManifest([]byte(good[:begin] + other + good[end:]))
			if m != nil || !errors.Is(err, bundles.ErrDamaged) {
				t.Errorf("%s: %s for %s: %v, %v", list, other, good[begin:end], m, err)
			}
		}
	}
}

// Property: the same holds for entries.jsonl.
func TestOtherEntries(t *testing.T) {
	good := `{"index":7,"leaf":"a <b>\n","logIndex":1007,"integratedTime":1767225607,"set":"AAE="}` + "\n" + `{"index":8,"leaf":""}` + "\n"
	e, err := bundles.DecodeEntries([]byte(good))
	if err != nil || len(e) != 2 || e[0].Leaf != "a <b>\n" || !bytes.Equal(e[0].SET, []byte{0, 1}) || e[1].Index != 8 {
		t.Fatalf("%+v, %v", e, err)
	}
	if b, err := bundles.EncodeEntries(e); string(b) != good {
		t.Errorf("encoded as %q, %v", b, err)
	}
	for name, edit := range map[string][2]string{
		"no newline at the end":  {"\"\"}\n", "\"\"}"},
		"an empty line":          {"}\n{", "}\n\n{"},
		"an empty line first":    {`{"index":7`, "\n" + `{"index":7`},
		"an empty line last":     {"\"\"}\n", "\"\"}\n\n"},
		"carriage return":        {"}\n{", "}\r\n{"},
		"two on a line":          {"}\n{", "}{"},
		"one on two lines":       {`,"leaf":""`, ",\n" + `"leaf":""`},
		"space":                  {`"index":8`, `"index": 8`},
		"trailing data":          {"}\n{", "} 1\n{"},
		"a member twice":         {`"index":8`, `"index":8,"index":8`},
		"another case":           {`"index":8`, `"Index":8`},
		"another order":          {`"index":8,"leaf":""`, `"leaf":"","index":8`},
		"an unknown member":      {`"leaf":""`, `"leaf":"","x":1`},
		"a missing member":       {`,"leaf":""`, ``},
		"1e3":                    {`1007`, `1e3`},
		"an HTML escape":         {`<b>`, `\u003cb>`},
		"another escape":         {`\n"`, `\u000a"`},
		"base64 without padding": {`AAE=`, `AAE`},
		"base64 with other bits": {`AAE=`, `AAF=`},
		"base64 with a newline":  {`AAE=`, `AA\nE=`},
		"an empty set":           {`AAE=`, ``},
		"a null set":             {`"AAE="`, `null`},
		"zero log index":         {`1007`, `0`},
		"index below zero":       {`"index":8`, `"index":-8`},
		"a large index":          {`"index":8`, `"index":18446744073709551616`},
		"null":                   {`{"index":8,"leaf":""}`, `null`},
		"a list":                 {`{"index":8,"leaf":""}`, `[]`},
		"a NUL":                  {"\"\"}\n", "\"\"}\x00\n"},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if e, err := bundles.DecodeEntries([]byte(bad)); e != nil || !errors.Is(err, bundles.ErrDamaged) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

// Property: another format version is told from a damaged bundle, whatever else
// has changed in it; what has none is damaged.
func TestOtherVersions(t *testing.T) {
	files := unpack(t, write(t, sample(false)))
	const v1 = "modseal.manifest.v1"
	for _, c := range []struct {
		manifest string
		want     error
	}{
		{strings.Replace(string(files[0].data), v1, "modseal.manifest.v2", 1), bundles.ErrVersion},
		{`{"mediaType":"application/vnd.modseal.manifest.v2+json","new":true}`, bundles.ErrVersion},
		{`{"mediaType":""}`, bundles.ErrVersion},
		{`{"mediaType":"` + strings.Repeat(`\u001b`, 1000) + `"}`, bundles.ErrVersion},
		{`{"mediaType":2}`, bundles.ErrDamaged},
		{`{"created":"x","mediaType":"application/vnd.modseal.manifest.v2+json"}`, bundles.ErrDamaged},
		{`{"mediaType":"` + bundles.MediaType + `"}`, bundles.ErrDamaged},
		{`{}`, bundles.ErrDamaged},
	} {
		files[0].data = []byte(c.manifest)
		b, err := open(repacked(t, files))
		if b != nil || !errors.Is(err, c.want) || errors.Is(err, bundles.ErrDamaged) != (c.want == bundles.ErrDamaged) {
			t.Errorf("%.100s: %v, want %v", c.manifest, err, c.want)
		}
		if err != nil && (len(err.Error()) > 600 || strings.ContainsRune(err.Error(), '\x1b')) {
			t.Errorf("message %q is not fit to be shown", err)
		}
	}
}
