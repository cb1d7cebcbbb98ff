package stack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// closeLimit is how long a child may take to exit after the end of its standard input, before it is killed.
const closeLimit = 5 * time.Second

// maxLine is how long a child's line may be, in bytes.
const maxLine = 64 << 10

// child is a server process that reports one line on standard output when it is ready, and one for each that it is sent;
// and ends with its standard input.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	line   chan []byte // of one place, and more are lost; closed when standard output ends
	stderr bytes.Buffer

	done    chan struct{} // closed when the process has been waited for
	waitErr error         // valid then

	closing  sync.Once
	closeErr error
}

func startChild(binary string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(binary, args...), line: make(chan []byte, 1), done: make(chan struct{})}
	c.cmd.Stderr = &c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		reader := bufio.NewReaderSize(stdout, maxLine)
		for {
			line, err := reader.ReadSlice('\n')
			if err != nil {
				break
			}
			select {
			case c.line <- bytes.Clone(line):
			default:
			}
		}
		close(c.line)
		io.Copy(io.Discard, reader) // to the end, as Wait closes the pipe
		c.waitErr = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// nextLine returns the line that the child reports when it is ready, or has done what it was sent.
func (c *child) nextLine(ctx context.Context) ([]byte, error) {
	select {
	case line, ok := <-c.line:
		if ok {
			return line, nil
		}
		if err := c.close(); err != nil {
			return nil, err
		}
		return nil, errors.New("it ended before it was ready")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ready reads what the child reports.
func (c *child) ready(ctx context.Context) (*Ready, error) {
	line, err := c.nextLine(ctx)
	if err != nil {
		return nil, err
	}
	var r Ready
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	if r.URL == "" || r.PublicKeyPath == "" || r.TreeID == "" || r.Sigstore != nil && !r.Sigstore.complete() {
		return nil, fmt.Errorf("incomplete answer %q", line)
	}
	return &r, nil
}

// close ends the child and waits for it. The error is about how it ended, with what it had to say.
func (c *child) close() error {
	c.closing.Do(func() {
		c.stdin.Close()
		kill := time.AfterFunc(closeLimit, func() { c.cmd.Process.Kill() })
		defer kill.Stop()
		<-c.done
		if c.waitErr != nil {
			c.closeErr = fmt.Errorf("%s: %w: %s", c.cmd.Path, c.waitErr, bytes.TrimSpace(c.stderr.Bytes()))
		}
	})
	return c.closeErr
}
