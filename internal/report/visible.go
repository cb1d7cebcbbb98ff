package report

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxShown is the most bytes of one name or message that are shown.
const maxShown = 4 << 10

// Visible makes text fit for a terminal. What is not printable is escaped as in
// a Go string: control characters, of both sets, by which a terminal is
// commanded; what turns the direction of text around or takes no room. Bytes
// that are not UTF-8 show as U+FFFD. What is longer than maxShown is cut.
func Visible(s string) string {
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// visibleJSON escapes the same in JSON, which encoding/json does for the first
// set of control characters only.
func visibleJSON(j []byte) []byte {
	out := make([]byte, 0, len(j))
	for i := 0; i < len(j); {
		r, n := utf8.DecodeRune(j[i:])
		if r == '\n' || strconv.IsPrint(r) {
			out = append(out, j[i:i+n]...)
		} else {
			for _, unit := range utf16.AppendRune(nil, r) {
				const digits = "0123456789abcdef"
				out = append(out, '\\', 'u', digits[unit>>12], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
			}
		}
		i += n
	}
	return out
}
