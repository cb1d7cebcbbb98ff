package policy

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

// Limits of regular expressions: package regexp makes up to 128 MiB of one of a few
// bytes, as of (x{1000}){1000} or many \pL.
const (
	maxExpression  = 2 << 10 // bytes of one
	maxSteps       = 20_000  // steps of one: what is repeated counts each time
	maxExpressions = 100_000 // steps of all of a policy
)

var errExpression = errors.New("regular expression over the limit")

func checkExpression(expr string) error {
	if len(expr) > maxExpression {
		return fmt.Errorf("%w: more than %d bytes", errExpression, maxExpression)
	}
	if expressionSize(expr) > maxSteps {
		return fmt.Errorf("%w: %.60q…: more than %d steps", errExpression, expr, maxSteps)
	}
	return nil
}

// expressionSize is about how many steps an expression is compiled to; it is maxSteps+1 if
// it has more, or more bytes than it may have. One that is wrong has none: to compile it
// is an error.
func expressionSize(expr string) int {
	if len(expr) > maxExpression {
		return maxSteps + 1
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0
	}
	return min(steps(tree), maxSteps+1)
}

// steps counts characters and classes, and the ranges of which a class is made.
func steps(e *syntax.Regexp) int {
	n := 1 + len(e.Rune)/2
	for _, sub := range e.Sub {
		n += steps(sub)
	}
	if e.Op == syntax.OpRepeat {
		n *= max(e.Min, e.Max, 1)
	}
	return n
}
