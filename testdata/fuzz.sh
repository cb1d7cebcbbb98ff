#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh [TIME]. A target without seeds, or no target at all, is a failure: it would
# look like a pass.
set -eu
time=${1:-10s}
n=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# fuzz runs one target, and returns 1 if it ran into the end of its own time: before Go 1.27 the go command now and then
# calls that a failure ("context deadline exceeded", https://go.dev/issue/75804), without an input that fails. Any other
# failure ends the script, and so does a second such one.
fuzz() {
  if go test -run '^$' -fuzz "^$1\$" -fuzztime "$time" -fuzzminimizetime 20x "$2" >"$out" 2>&1; then
    cat "$out"
    return 0
  fi
  cat "$out"
  if grep -qs 'Failing input written' "$out" || ! grep -qx ' *context deadline exceeded' "$out"; then
    exit 1
  fi
  echo "fuzz: $2: $1 ran into the end of its own time"
  return 1
}

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
    fuzz "$target" "$pkg" || fuzz "$target" "$pkg"
    n=$((n + 1))
  done
done
[ "$n" -gt 0 ] || { echo "fuzz: no targets" >&2; exit 1; }
echo "fuzz: $n targets"
