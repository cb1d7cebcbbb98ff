package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// readFile answers a file URL, as the go command does for GOPROXY=file://….
// There is nothing to try again.
func (c *Client) readFile(ctx context.Context, req Request, u *url.URL) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, c.failure(req, u, 0, &failed{err: err})
	}
	body, more, err := readFileURL(u, &req)
	c.count("file", req.Kind, len(body), err == nil)
	status := http.StatusOK
	switch {
	case errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
		if !req.accepts(status) {
			return Response{}, c.failure(req, u, 1, &failed{status: status, err: fs.ErrNotExist})
		}
	case err != nil:
		return Response{}, c.failure(req, u, 1, &failed{err: err})
	}
	return Response{Status: status, Header: http.Header{}, Body: body, More: more}, nil
}

func readFileURL(u *url.URL, req *Request) (body []byte, more bool, err error) {
	if req.method() != http.MethodGet {
		return nil, false, fmt.Errorf("method %s on a file URL", req.method())
	}
	name, err := filePath(u)
	if err != nil {
		return nil, false, err
	}
	// Before opening: a named pipe would make the opening wait for its writer.
	info, err := os.Stat(name)
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%s is not a regular file: %w", name, fs.ErrNotExist)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	return readBody(file, info.Size(), req)
}

// filePath is the path that a file URL names. Only the local host's are read,
// and only if the URL is nothing but a path.
func filePath(u *url.URL) (string, error) {
	if u.Host != "" && u.Host != "localhost" {
		return "", fmt.Errorf("file URL on host %q", u.Host)
	}
	if u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", errors.New("file URL with more than a path")
	}
	name := u.Path
	if runtime.GOOS == "windows" {
		name = strings.TrimPrefix(name, "/") // file:///C:/dir
	}
	name = filepath.FromSlash(name)
	if !filepath.IsAbs(name) {
		return "", fmt.Errorf("file URL with the path %q, which isn't absolute", name)
	}
	return name, nil
}
