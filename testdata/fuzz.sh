#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh [TIME]. A target without seeds, or no target at all, is a failure: it would
# look like a pass.
set -eu
time=${1:-10s}
n=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$(go env GOCACHE)/fuzz

# fuzz runs one target of a package in its folder, and returns 1 if it ran into the end of its own time: before Go 1.27 a
# run now and then takes that for a failure ("context deadline exceeded", https://go.dev/issue/75804), without an input
# that fails. Any other failure ends the script, and so does a second such one.
fuzz() {
  if (cd "$dir" && "$work/test" -test.run '^$' -test.fuzz "^$1\$" -test.fuzztime "$time" -test.fuzzminimizetime 20x \
    -test.fuzzcachedir "$cache/$pkg" -test.timeout 0) >"$work/out" 2>&1; then
    cat "$work/out"
    return 0
  fi
  cat "$work/out"
  if grep -qs 'Failing input written' "$work/out" || ! grep -qx ' *context deadline exceeded' "$work/out"; then
    exit 1
  fi
  echo "fuzz: $pkg: $1 ran into the end of its own time"
  return 1
}

for pkg in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
  dir=$(go list -f '{{.Dir}}' "$pkg")
  grep -qs '^func Fuzz' "$dir"/*_test.go || continue
  go test -c -fuzz . -o "$work/test" "$pkg" # one binary for all of its targets, which looks for new paths
  (cd "$dir" && "$work/test" -test.run '^Fuzz' -test.v) >"$work/seeds" || { cat "$work/seeds"; exit 1; }
  for target in $(cd "$dir" && "$work/test" -test.list '^Fuzz'); do
    seeds=$(grep -c "^ *--- PASS: $target/" "$work/seeds" || true)
    if [ "$seeds" -eq 0 ]; then
      echo "fuzz: $pkg: $target has no seeds" >&2
      exit 1
    fi
    echo "fuzz: $pkg: $target, $seeds seeds, $time"
    fuzz "$target" || fuzz "$target"
    n=$((n + 1))
  done
done
[ "$n" -gt 0 ] || { echo "fuzz: no targets" >&2; exit 1; }
echo "fuzz: $n targets"
