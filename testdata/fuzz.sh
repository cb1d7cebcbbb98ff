#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh [TIME]. A target without seeds, or no target at all, is a failure: it would
# look like a pass.
set -eu
time=${1:-10s}
n=0
for pkg in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
  dir=$(go list -f '{{.Dir}}' "$pkg")
  grep -qs '^func Fuzz' "$dir"/*_test.go || continue
  for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz'); do
    seeds=$(go test -run "^$target\$" -v "$pkg" | grep -c "^ *--- PASS: $target/" || true)
    if [ "$seeds" -eq 0 ]; then
      echo "fuzz: $pkg: $target has no seeds" >&2
      exit 1
    fi
    echo "fuzz: $pkg: $target, $seeds seeds, $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$pkg"
    n=$((n + 1))
  done
done
[ "$n" -gt 0 ] || { echo "fuzz: no targets" >&2; exit 1; }
echo "fuzz: $n targets"
