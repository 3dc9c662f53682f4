package script

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// arithm evaluates an arithmetic expression, with 64-bit integers.
func (s *shell) arithm(x syntax.ArithmExpr) (int64, error) {
	switch x := x.(type) {
	case nil:
		return 0, nil
	case *syntax.Word:
		text, err := s.literal(x)
		if err != nil {
			return 0, err
		}
		if x.Lit() == "" && strings.ContainsAny(strings.TrimSpace(text), " +*/%()<>=&|^?:") {
			return s.expanded(text)
		}
		return s.number(text)
	case *syntax.ParenArithm:
		return s.arithm(x.X)
	case *syntax.UnaryArithm:
		return s.unary(x)
	case *syntax.BinaryArithm:
		return s.binary(x)
	}
	return 0, s.unknown("an arithmetic expression that is not of POSIX")
}

// expanded evaluates what an expansion has made an expression of, as in
// $(( $(echo "6 * 100") )).
func (s *shell) expanded(text string) (int64, error) {
	x, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Arithmetic(strings.NewReader(text))
	if err != nil {
		return 0, s.fatal("arithmetic: " + text + ": no expression")
	}
	return s.arithm(x)
}

// number is a constant, or a variable that holds one.
func (s *shell) number(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if syntax.ValidName(text) {
		value, set := s.param(text)
		if !set && s.opts['u'] {
			return 0, s.unset(text)
		}
		text = strings.TrimSpace(value)
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil || strings.ContainsAny(text, "_oOB") {
		return 0, s.fatal("arithmetic: " + text + ": no number")
	}
	return n, nil
}

func (s *shell) unary(x *syntax.UnaryArithm) (int64, error) {
	if x.Op == syntax.Inc || x.Op == syntax.Dec {
		return 0, s.unknown("++ or --")
	}
	n, err := s.arithm(x.X)
	if err != nil {
		return 0, err
	}
	switch x.Op {
	case syntax.Not:
		return truth(n == 0), nil
	case syntax.BitNegation:
		return ^n, nil
	case syntax.Plus:
		return n, nil
	case syntax.Minus:
		return -n, nil
	}
	return 0, s.unknown("an arithmetic operator")
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// assigning are the operators behind those of assignment.
var assigning = map[syntax.BinAritOperator]syntax.BinAritOperator{
	syntax.AddAssgn: syntax.Add, syntax.SubAssgn: syntax.Sub, syntax.MulAssgn: syntax.Mul,
	syntax.QuoAssgn: syntax.Quo, syntax.RemAssgn: syntax.Rem, syntax.AndAssgn: syntax.And,
	syntax.OrAssgn: syntax.Or, syntax.XorAssgn: syntax.Xor, syntax.ShlAssgn: syntax.Shl, syntax.ShrAssgn: syntax.Shr,
}

func (s *shell) binary(x *syntax.BinaryArithm) (int64, error) {
	op, assigns := assigning[x.Op]
	if assigns || x.Op == syntax.Assgn {
		return s.assignArithm(x, op)
	}
	left, err := s.arithm(x.X)
	if err != nil {
		return 0, err
	}
	switch x.Op {
	case syntax.AndArit:
		if left == 0 {
			return 0, nil
		}
	case syntax.OrArit:
		if left != 0 {
			return 1, nil
		}
	case syntax.TernQuest:
		branches, ok := x.Y.(*syntax.BinaryArithm)
		if !ok {
			return 0, s.unknown("an arithmetic condition")
		}
		if left != 0 {
			return s.arithm(branches.X)
		}
		return s.arithm(branches.Y)
	}
	right, err := s.arithm(x.Y)
	if err != nil {
		return 0, err
	}
	return s.operate(x.Op, left, right)
}

func (s *shell) assignArithm(x *syntax.BinaryArithm, op syntax.BinAritOperator) (int64, error) {
	w, ok := x.X.(*syntax.Word)
	if !ok || !syntax.ValidName(w.Lit()) {
		return 0, s.fatal("arithmetic: assignment to no variable")
	}
	n, err := s.arithm(x.Y)
	if err != nil {
		return 0, err
	}
	if x.Op != syntax.Assgn {
		old, err := s.number(w.Lit())
		if err != nil {
			return 0, err
		}
		if n, err = s.operate(op, old, n); err != nil {
			return 0, err
		}
	}
	return n, s.set(w.Lit(), strconv.FormatInt(n, 10), false)
}

func (s *shell) operate(op syntax.BinAritOperator, a, b int64) (int64, error) {
	switch op {
	case syntax.Add:
		return a + b, nil
	case syntax.Sub:
		return a - b, nil
	case syntax.Mul:
		return a * b, nil
	case syntax.Quo, syntax.Rem:
		if b == 0 {
			return 0, s.fatal("arithmetic: division by zero")
		}
		if b == -1 { // the smallest number has no opposite
			if op == syntax.Quo {
				return -a, nil
			}
			return 0, nil
		}
		if op == syntax.Quo {
			return a / b, nil
		}
		return a % b, nil
	case syntax.And:
		return a & b, nil
	case syntax.Or:
		return a | b, nil
	case syntax.Xor:
		return a ^ b, nil
	case syntax.Shl:
		return a << (uint64(b) & 63), nil
	case syntax.Shr:
		return a >> (uint64(b) & 63), nil
	case syntax.Eql:
		return truth(a == b), nil
	case syntax.Neq:
		return truth(a != b), nil
	case syntax.Lss:
		return truth(a < b), nil
	case syntax.Gtr:
		return truth(a > b), nil
	case syntax.Leq:
		return truth(a <= b), nil
	case syntax.Geq:
		return truth(a >= b), nil
	case syntax.AndArit, syntax.OrArit:
		return truth(b != 0), nil
	case syntax.Comma:
		return b, nil
	}
	return 0, s.unknown("an arithmetic operator")
}
