// An empty module in place of one that is not in every module proxy. Only tests of Fulcio's packages import it, and
// `go mod tidy` looks at those. Nothing of it is compiled.
module chainguard.dev/sdk

go 1.26.0
