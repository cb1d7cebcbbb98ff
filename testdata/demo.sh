#!/bin/sh
# A session of modseal on its own modules: a snapshot from the public checksum database, the gate in a network
# namespace that has nothing in it, and the gate with one byte changed. Needs Go, and the network for the first part.
set -eu
cd "$(dirname "$0")/.."
modseal=$PWD/bin/modseal
project=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/modseal-demo.XXXXXX")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
step() { printf '\n\033[1m# %s\033[0m\n' "$1"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || step() { printf '\n# %s\n' "$1"; }
run() { printf '$ %s\n' "$*"; "$@"; }

step "a key to seal with"
cd "$work"
run "$modseal" keygen --no-password -o seal

step "on the connected host: a snapshot of all modules of modseal's own go.mod"
run "$modseal" snapshot --seal-key seal.key --rekor-url=off -o deps.modseal "$project"

step "in the enclave: the gate, without a network"
if unshare -rn true 2>/dev/null; then
  run unshare -rn "$modseal" verify --seal-key seal.pub deps.modseal "$project"
else
  echo "(this system gives no empty network namespace: the gate runs in the ordinary one)"
  run "$modseal" verify --seal-key seal.pub deps.modseal "$project"
fi

step "one byte changed in a copy of the module cache"
cache=$(go env GOMODCACHE)
mkdir copy
(cd "$project" && go mod download -json) | sed -nE 's,.*"(GoMod|Zip|Dir)": "'"$cache"'/(.*)".*,\2,p' >files
(cd "$cache" && xargs cp -rl --parents -t "$work/copy") <files 2>/dev/null || (cd "$cache" && xargs cp -r --parents -t "$work/copy") <files
victim=$(ls -d copy/golang.org/x/mod@*)/modfile/rule.go
chmod u+w "$(dirname "$victim")"
sed '1s/C/c/' "$victim" >changed # the copies are hard links: a new file takes the place of this one
mv -f changed "$victim"
code=0
run "$modseal" verify --seal-key seal.pub --modcache copy deps.modseal "$project" || code=$?
echo "exit code $code"
[ "$code" = 1 ] || { echo "demo: want exit code 1" >&2; exit 1; }
