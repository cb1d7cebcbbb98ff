package catalogue

import "golang.org/x/mod/module"

// An entry is a real project: a published module, as main module.
type entry struct {
	path, version string
	goMod         string // h1 of its go.mod, as the checksum database has it
	why           string // it is here

	// local is where the go.mod files of directories come from that replace modules. It is told the module as required
	// and names a published version with the same requirements, or "" for a go.mod without any. Nil is for the version
	// that is required.
	local func(required module.Version) (version string)
}

func (e entry) module() module.Version { return module.Version{Path: e.path, Version: e.version} }

// at is for directories that are published at one version together with the project.
func at(version string) func(module.Version) string {
	return func(module.Version) string { return version }
}

// catalogue is sorted by Go version, then by name: what is before Go 1.17 takes the whole module graph.
var catalogue = []entry{
	{"github.com/spf13/viper", "v1.8.1", "h1:o0Pch8wJ9BVSWGQMbra6iw0oQ5oktSIBaujf1rJH9Ns=", "go 1.12: few requirements and a graph of hundreds", nil},
	{"gopkg.in/DataDog/dd-trace-go.v1", "v1.31.1", "h1:wRKMf/tRASHwH/UOfPQ3IQmVFhTz2/1a1/mpXoIjF54=", "go 1.12: a gopkg.in path with upper-case letters", nil},
	{"github.com/AlecAivazis/survey/v2", "v2.2.16", "h1:TH2kPCDU3Kqq7pLbnCWwZXDBjnhZtmsCle5EiYDJ2fg=", "go 1.13: small, an upper-case path", nil},
	{"github.com/cli/cli", "v1.14.0", "h1:R4In6i0pvue7PP3dcCU77i1zx0l8NYZupSkKLa5/ehY=", "go 1.13: a module replaced by a fork", nil},
	{"github.com/gin-gonic/gin", "v1.7.7", "h1:axIBovoeJpVj8S3BwE0uPMTeReE4+AfFtqpqaZ1qq1U=", "go 1.13: small, with a retract", nil},
	{"github.com/go-kit/kit", "v0.10.0", "h1:xUsJbQ/Fp4kEt7AFgCuvyX4a71u8h9jB8tj/ORgOZ7o=", "go 1.13: old modules, from when few had a go.mod", nil},
	{"github.com/hashicorp/consul", "v1.10.12", "h1:z9c9dZQI0/tKODT1x3s32wLbHyLfkG8G+FRYtn36UAc=", "go 1.13: directories in a module graph", nil},
	{"github.com/hashicorp/terraform", "v1.0.11", "h1:H2hzCRxwMK2oUAnMLk3K6OiX++nrfR9Qgi7Ob+HxzZ0=", "go 1.14: two replaced at one version alone", nil},
	{"go.etcd.io/etcd", "v0.5.0-alpha.5.0.20200910180754-dd1b699fc489", "h1:yVHk9ub3CSBatqGNg7GRmsnfLWtoW60w4eDYfh7vHDg=", "go 1.14: a pseudo-version as main module", nil},
	{"github.com/cosmos/cosmos-sdk", "v0.42.11", "h1:UdhCvr26SsMdhUlYCO3G7HCSTKpwzUg+MpGbQffb3os=", "go 1.16: two replaced by forks, one by an older version", nil},
	{"github.com/sigstore/cosign", "v1.2.1", "h1:HjFCBUZd/q5IXxSVf2Qazr0IFSlxqSKv4Y79XoA5to8=", "go 1.16: cosign, and the largest graph of all", nil},
	{"helm.sh/helm/v3", "v3.6.3", "h1:mIIus8EOqj+obtycw3sidsR4ORr2aFDmXMSI3k+oeVY=", "go 1.16: replaced by a pseudo-version", nil},
	{"k8s.io/kubernetes", "v1.22.17", "h1:4jiaBaIxIZcb9Y5IKxnavbaCCK623RcD4gEVFDXMLmY=", "go 1.16: 364 modules replaced by a version, 27 by a directory", at("v0.22.17")},

	{"sigs.k8s.io/kind", "v0.24.0", "h1:t7ueEpzPYJvHA8aeLtI52rtFftNgUYUaCwvxjk7phfw=", "go 1.17: the first with a pruned graph", nil},
	{"golang.org/x/tools/gopls", "v0.16.2", "h1:Hj8YxzfHfFyRK5muTZy5oO6/0nL7CZWu28ZNac7tXF0=", "go 1.19: a module nested in another's repository", nil},
	{"github.com/argoproj/argo-cd/v2", "v2.12.4", "h1:2fh6q4NX/cylbH6Ktx/KjJsX7sOBwF3jbGnO0IZyNOc=", "36 replaced by versions", nil},
	{"github.com/caddyserver/caddy/v2", "v2.8.4", "h1:vmDAHp3d05JIvuhc24LmnxVlsZmWnUwbP5WMjzcMPWw=", "a toolchain line", nil},
	{"github.com/cosmos/cosmos-sdk", "v0.50.10", "h1:6Eesrx3ZE7vxBZWpK++30H+Uc7Q4ahQWCL7JKU/LEdU=", "retract and replace", nil},
	{"github.com/docker/compose/v2", "v2.29.7", "h1:t4s0ikxwAMXE7uK80Dp7AQg2IiINzDu160/yBJQ99Ac=", "docker as +incompatible", nil},
	{"github.com/go-delve/delve", "v1.23.1", "h1:S3SLuEE2mn7wipKilTvk1p9HdTMnXXElcEpiZ+VcuqU=", "a small one", nil},
	{"github.com/moby/buildkit", "v0.16.0", "h1:Xqx/5GlrqE1yIRORk0NSCVDFpQAU1WjlT6KHYZdisIQ=", "moby's modules", nil},
	{"github.com/thanos-io/thanos", "v0.36.1", "h1:f7LiW4+/xvV5+gkseMuVbQnrbFTFnCPv5+X1M6mXkn4=", "replaced by other major versions", nil},
	{"code.gitea.io/gitea", "v1.22.3", "h1:eQXuXy6UVRoLbNmY2Mxau5HuPVI3JJyOGpQCHRDwCOY=", "exclude and replace", nil},
	{"github.com/aquasecurity/trivy", "v0.56.2", "h1:P6LM+3h3G/nndp3BDugw0YZKBOC0lNRX2zCX/LxOpyo=", "more than 400 requirements", nil},
	{"github.com/bufbuild/buf", "v1.45.0", "h1:j+GjGIKS+CvubKtPiC0KpEiHAd3wS9/5sn2/U5WlA20=", "modules of another publisher's own host", nil},
	{"github.com/cilium/cilium", "v1.16.3", "h1:w6huXlvvCbDrOdKW1P5FXjT3JIXzEREtXbvhhMZHxKM=", "replaced by forks, of which one is a pseudo-version", nil},
	{"github.com/containerd/containerd/v2", "v2.0.0", "h1:j25kDy9P48/ngb1sxWIFfK6GsnqOHoSqo1EpAod20VQ=", "a second major version", nil},
	{"github.com/ethereum/go-ethereum", "v1.14.11", "h1:+l/fr42Mma+xBnhefL/+z11/hcmJ2egl+ScIVPjhc7E=", "another family of dependencies", nil},
	{"github.com/gohugoio/hugo", "v0.136.5", "h1:SarsIX7a9RqYY4VbDqIFrqSt57dIst+B1XKh+Q/lC7w=", "old modules in a pruned graph", nil},
	{"github.com/golangci/golangci-lint", "v1.61.0", "h1:e4lztIrJJgLPhWvFPDkhiMwEFRrWlmFbrZea3FsJyN8=", "many small publishers", nil},
	// The versions of its parts that Terraform requires don't exist.
	{"github.com/hashicorp/terraform", "v1.9.8", "h1:RWoOk1hgrB2d9cHDTu/eU7Lv2Tc1L2d4HX0zGpG/a80=", "Terraform: nine directories", at("")},
	{"github.com/hashicorp/vault", "v1.18.0", "h1:BKIhc+lvFliPSrMYyv3plB0J6WRrdLhXx4j1MHSO9fI=", "more than 500 requirements, five directories, two replaced at one version alone", nil},
	{"github.com/prometheus/prometheus", "v0.55.1", "h1:GGS7QlWKCqCbcEzWsVahYIfQwiGhcExkarHyLJTsv6I=", "Prometheus: exclude, replace and a toolchain line", nil},
	{"github.com/sigstore/cosign/v2", "v2.4.1", "h1:GvzjBeUKigI+XYnsoVQDmMAsMMc6engxztRSuxE+x9I=", "cosign", nil},
	{"go.etcd.io/etcd/server/v3", "v3.5.16", "h1:ynhyZZpdDp1Gq49jkUg5mfkDWZwXnn3eIqCqtJnrD/s=", "directories outside of the module, and one that doesn't exist", nil},
	{"go.opentelemetry.io/collector", "v0.111.0", "h1:eZi4Z1DmHy+sVqbUI8dZNvhrH7HZIlX+0AKorOtv6nE=", "retract, and twelve directories", nil},
	{"tailscale.com", "v1.76.1", "h1:myCwmhYBvMCF/5OgBYuIW42zscuEo30bAml7wABVZLk=", "a path without a slash", nil},
	{"github.com/sigstore/cosign/v3", "v3.0.2", "h1:qz0RCzSoxiUu32z2jtyYRX/qXUyqmzK8O8PpMm+7wf4=", "cosign, go 1.24", nil},
	{"gonum.org/v1/gonum", "v0.17.0", "h1:El3tOrEuMpv2UdMrbNlKEh9vd86bmQ6vqIcDwxEOc1E=", "a tool directive, few requirements", nil},
	{"cuelang.org/go", "v0.16.1", "h1:/aW3967FeWC5Hc1cDrN4Z4ICVApdMi83wO5L3uF/1hM=", "tool directives", nil},
	{"github.com/sigstore/rekor-tiles/v2", "v2.3.0", "h1:DEFiKSyQ4nF75QRVNdOPaIH3cmvMkO2B6xDZjNYngPc=", "tool directives", nil},
	{"k8s.io/kubernetes", "v1.37.0", "h1:zAK7e3i5feyBL/bhucQnA5VRKuyrS8F+ijHJkZzQaWw=", "Kubernetes: godebug, and 33 directories", at("v0.37.0")},
}
