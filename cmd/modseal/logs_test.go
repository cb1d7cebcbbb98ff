package main

import (
	"fmt"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/modseal/modseal/internal/testlog"
)

// grow LOG N logs N entries of strangers in sumdb, rekor or rekor2; rewrite LOG
// INDEX changes what is logged at an index, and truncate LOG SIZE drops what comes
// after so many, as no honest log does.
func grow(ts *testscript.TestScript, neg bool, args []string) {
	tree, n := treeOf(ts, neg, args)
	for range n {
		name := fmt.Sprintf("stranger %d", tree.Size())
		switch w := ts.Value("world").(*world); args[0] {
		case "rekor":
			w.rekor.Add([]byte(name))
		case "rekor2":
			w.rekor2.Add([]byte(name))
		default:
			tree.Append([]byte(name + "\n"))
		}
	}
}

func rewrite(ts *testscript.TestScript, neg bool, args []string) {
	tree, index := treeOf(ts, neg, args)
	tree.Rewrite(index, []byte("something else\n"))
}

func truncate(ts *testscript.TestScript, neg bool, args []string) {
	tree, size := treeOf(ts, neg, args)
	tree.Truncate(size)
}

func treeOf(ts *testscript.TestScript, neg bool, args []string) (*testlog.Tree, uint64) {
	w := ts.Value("world").(*world)
	trees := map[string]*testlog.Tree{"sumdb": &w.sumdb.Tree, "rekor": &w.rekor.Shard().Tree, "rekor2": &w.rekor2.Tree}
	if neg || len(args) != 2 || trees[args[0]] == nil {
		ts.Fatalf("usage: grow|rewrite|truncate sumdb|rekor|rekor2 N")
	}
	n, err := strconv.ParseUint(args[1], 10, 32)
	ts.Check(err)
	return trees[args[0]], n
}
