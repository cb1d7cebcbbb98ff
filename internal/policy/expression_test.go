package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Property: a regular expression is bounded by its bytes and by what it is compiled to,
// and so are all of a policy together; at the limit it passes.
func TestExpressionLimits(t *testing.T) {
	for expr, ok := range map[string]bool{
		strings.Repeat("a", maxExpression):   true,
		strings.Repeat("a", maxExpression+1): false,
		`(?:ab|.){999}`:                      true,
		`.{1000}.{1000}.{1000}.{1000}.{1000}.{1000}.{1000}.{1000}.{1000}.{999}`: true,
		strings.Repeat(".{1000}", 10):                                           false,
		strings.Repeat(`\pL`, 10):                                               true,
		`\pL{1000}`:                                                             false,
		`(?:(?:\pL{10}){10}){10}`:                                               false,
		`https://github\.com/example/[^/]+/.*`:                                  true,
	} {
		_, err := anchor(expr)
		if ok != (err == nil) || !ok && !errors.Is(err, errExpression) {
			t.Errorf("%.40q: %v (%d steps)", expr, err, expressionSize(expr))
		}
	}
	signers := func(n int) string {
		b := strings.Builder{}
		b.WriteString("version: 1\nsigners:\n")
		for i := range n {
			fmt.Fprintf(&b, "  s%d: {identity-regexp: 'a%d.{998}.{998}.{998}.{998}.{997}', issuer: i}\n", i, i%10)
		}
		return b.String() + "rules: [{modules: '*', require: {signed-by: [s0, s1]}}]\n"
	}
	per := expressionSize("a0.{998}.{998}.{998}.{998}.{997}")
	for n, ok := range map[int]bool{maxExpressions / per: true, maxExpressions/per + 1: false} {
		_, err := Parse("p.yaml", []byte(signers(n)), nil)
		if over := errors.Is(err, errExpression); ok == over {
			t.Errorf("%d expressions of %d steps: %v", n, per, err)
		}
	}
}
