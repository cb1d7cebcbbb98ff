package testlog

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync/atomic"
)

// An Answer is what a server is about to send.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Hook is a function that changes answers to a question before they are sent; the
// zero value changes none. It may be set while the server serves: a client that gave
// a request up does not know when the server is through with it.
type Hook[Q any] struct {
	edit atomic.Pointer[func(question Q, a *Answer)]
}

// Set makes edit the hook, nil for none, and returns the one before.
func (h *Hook[Q]) Set(edit func(question Q, a *Answer)) func(question Q, a *Answer) {
	if old := h.edit.Swap(&edit); old != nil {
		return *old
	}
	return nil
}

func (h *Hook[Q]) change(question Q, a *Answer) {
	if edit := h.edit.Load(); edit != nil && *edit != nil {
		(*edit)(question, a)
	}
}

func (a *Answer) send(w http.ResponseWriter) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a client that went away is its own problem
}

func jsonAnswer(status int, v any) *Answer {
	return &Answer{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: append(must(json.Marshal(v)), '\n')}
}

func textAnswer(status int, text []byte) *Answer {
	return &Answer{Status: status, Header: http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}, Body: text}
}

// EditJSON replaces an answer's JSON by what edit makes of it. Objects are
// map[string]any, lists []any, numbers json.Number.
func (a *Answer) EditJSON(edit func(v any) any) {
	d := json.NewDecoder(bytes.NewReader(a.Body))
	d.UseNumber()
	var v any
	must(0, d.Decode(&v))
	a.Body = append(must(json.Marshal(edit(v))), '\n')
}

// EditEntries applies edit to each entry in an answer of Rekor's log/entries or
// log/entries/retrieve, and leaves other answers alone.
func (a *Answer) EditEntries(edit func(uuid string, entry map[string]any)) {
	if a.Status/100 != 2 {
		return
	}
	a.EditJSON(func(v any) any {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, element := range list {
			object, _ := element.(map[string]any)
			for uuid, entry := range object {
				if entry, ok := entry.(map[string]any); ok {
					edit(uuid, entry)
				}
			}
		}
		return v
	})
}
