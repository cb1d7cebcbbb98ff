//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// options are the flags.
type options struct {
	modseal string // the binary to measure, absolute
	root    string // of modseal's source, absolute
	work    string // where to make the temporary folder
	quick   bool
	keep    bool
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == floorCommand:
		exit(runFloor(os.Args[2]))
	case len(os.Args) == 4 && os.Args[1] == worldCommand:
		exit(parseWorld(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.modseal, "modseal", "../bin/modseal", "the `program` to measure")
	flag.StringVar(&o.root, "root", "..", "`folder` of modseal's source")
	flag.StringVar(&o.work, "work", os.TempDir(), "`folder` to work in; on the file system of the module cache files are linked, elsewhere they are copied")
	flag.BoolVar(&o.quick, "quick", false, "few modules, few rounds")
	flag.BoolVar(&o.keep, "keep", false, "leave the project, its module cache and its bundles there, to look closer with other tools")
	flag.Parse()
	if flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is a run under way.
type bench struct {
	options
	dir    string // temporary
	goCmd  *goCommand
	set    *moduleSet
	proxy  *countingProxy
	key    string // NAME of NAME.key and NAME.pub
	bundle string // made by the snapshot part
	table  table
}

// run does all parts; each fills in its rows of the table.
func run(ctx context.Context, o options) (err error) {
	for _, p := range []*string{&o.modseal, &o.root, &o.work} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	b := &bench{options: o}
	if o.quick {
		b.table.note("The targets are for 250 modules and more, which -quick is not.")
	}
	if b.dir, err = os.MkdirTemp(o.work, "modseal-bench-"); err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(os.Stderr, "bench: working in", b.dir)
	} else {
		defer removeAll(b.dir)
	}
	defer func() {
		if b.proxy != nil {
			b.proxy.Close()
		}
	}()
	begun := time.Now()
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"prepare modules", b.prepare},
		{"snapshot", b.measureSnapshot},
		{"bundle", b.measureBundle},
		{"verify", b.measureVerify},
		{"memory", b.measureMemory},
		{"vendor", b.measureVendor},
		{"merkle", b.measureMerkle},
		{"large", b.measureLarge},
	} {
		start := time.Now()
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %s: %.1f s\n", part.name, time.Since(start).Seconds())
	}
	b.table.print(os.Stdout)
	fmt.Printf("\n%.0f s in all\n", time.Since(begun).Seconds())
	return nil
}

// removeAll removes a folder with what the go command may have made read-only in it.
func removeAll(dir string) {
	_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(name, 0o755)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
