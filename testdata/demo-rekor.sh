#!/bin/sh
# modseal with signers, on a real Rekor that runs for as long as this does: modules are attested, a snapshot carries the
# entries over the gap, and the gate lets those pass that the right key vouched for, and no others. Needs Go, and the network
# for the modules of Rekor (a minute or two to compile, once) and of a small example project.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" != inside ]; then
  here=$PWD
  cd e2e
  exec go run ./cmd/withrekor "$here/testdata/demo-rekor.sh" inside
fi
modseal=$PWD/bin/modseal
work=$(mktemp -d "${TMPDIR:-/tmp}/modseal-demo.XXXXXX")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
step() { printf '\n\033[1m# %s\033[0m\n' "$1"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || step() { printf '\n# %s\n' "$1"; }
run() { printf '$ %s\n' "$*"; "$@"; }
# The example asks nobody but this Rekor, keeps nothing elsewhere, and is what its files say.
export MODSEAL_CACHE="$work/cache" GOSUMDB=off GOFLAGS= GOWORK=off
rekor="--rekor-url $REKOR_URL --rekor-public-key rekor.pub"

step "keys: of who seals bundles, of the signer whom the enclave trusts, and of somebody else"
cd "$work"
cp "$REKOR_PUBLIC_KEY" rekor.pub
for name in seal signer other; do
  run "$modseal" keygen --no-password -o $name
done

step "a project with three modules"
mkdir project
cat >project/go.mod <<'END'
module example.com/project

go 1.24

require (
	github.com/BurntSushi/toml v1.6.0
	golang.org/x/sync v0.20.0
	rsc.io/qr v0.2.0
)
END
cat >project/go.sum <<'END'
github.com/BurntSushi/toml v1.6.0 h1:dRaEfpa2VI55EwlIW72hMRHdWouJeRF7TPYhI+AUQjk=
github.com/BurntSushi/toml v1.6.0/go.mod h1:ukJfTF/6rtPPRCnwkur4qwRxa8vTRFBF0uk2lLoLwho=
golang.org/x/sync v0.20.0 h1:e0PTpb7pjO8GAtTs2dQ6jYa5BWYlMuX047Dco/pItO4=
golang.org/x/sync v0.20.0/go.mod h1:9xrNwdLfx4jkKbNva9FpL6vEN7evnE43NNNJQ2LF3+0=
rsc.io/qr v0.2.0 h1:6vBLea5/NRMVTz8V66gipeLycZMl/+UlFmk8DvqQ6WY=
rsc.io/qr v0.2.0/go.mod h1:IF+uZjkb9fqyeF/4tlBoynqmQxUoPfWEKh921coOuXs=
END
run cat project/go.mod
(cd project && go mod download)

step "whoever reviewed them attests them: two entries each in Rekor, over the zip and over the list of its files"
run "$modseal" attest --key signer.key $rekor --all -C project

step "on the connected host: a snapshot, which must have an entry by the signer for every module"
run "$modseal" snapshot --seal-key seal.key $rekor --require rekor --key signer.pub -o deps.modseal project
run "$modseal" inspect --seal-key seal.pub deps.modseal

step "in the enclave: the gate, without a network"
alone="unshare -rn"
$alone true 2>/dev/null || { alone=; echo "(this system gives no empty network namespace: the gate runs in the ordinary one)"; }
run $alone "$modseal" verify --seal-key seal.pub --rekor-public-key rekor.pub --require rekor --key signer.pub deps.modseal project

step "another module comes in, which somebody else attested"
printf 'require github.com/pkg/errors v0.9.1\n' >>project/go.mod
cat >>project/go.sum <<'END'
github.com/pkg/errors v0.9.1 h1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=
github.com/pkg/errors v0.9.1/go.mod h1:bwawxfHBFNV+L2hUp1rHADufV3IMtnDRdf1r5NINEl0=
END
(cd project && go mod download)
run "$modseal" attest --key other.key $rekor github.com/pkg/errors@v0.9.1

step "the snapshot refuses to be taken: the signer has no entry for it"
code=0
run "$modseal" snapshot --seal-key seal.key $rekor --require rekor --key signer.pub -o more.modseal project || code=$?
echo "exit code $code"
[ "$code" = 1 ] && [ ! -e more.modseal ] || { echo "demo: want exit code 1, and no bundle" >&2; exit 1; }

step "and if it is taken all the same, the gate in the enclave refuses"
run "$modseal" snapshot --seal-key seal.key $rekor --require rekor --key signer.pub --allow-missing -o more.modseal project
code=0
run $alone "$modseal" verify --seal-key seal.pub --rekor-public-key rekor.pub --require rekor --key signer.pub more.modseal project || code=$?
echo "exit code $code"
[ "$code" = 1 ] || { echo "demo: want exit code 1" >&2; exit 1; }
