package script

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// An awkParser compiles the text of an awk program to functions.
type awkParser struct {
	text   string
	at     int
	token  string // "" at the end
	kind   awkKind
	noIn   bool // "in" belongs to for
	noGt   bool // ">" belongs to print
	prev   awkKind
	prevTk string
	err    error
	depth  int
}

type awkKind int

const (
	awkEnd awkKind = iota
	awkName
	awkCallName // a name with a parenthesis right behind it
	awkLiteral
	awkString
	awkRegex
	awkOp
	awkNewline
)

func (p *awkProgram) compile(text string) error {
	a := &awkParser{text: text}
	a.next()
	for a.err == nil && a.kind != awkEnd {
		if a.kind == awkNewline || a.token == ";" && a.kind == awkOp {
			a.next()
			continue
		}
		a.item(p)
	}
	return a.err
}

func (a *awkParser) fail() {
	if a.err == nil {
		a.err = Unknown("program at %.40q", a.text[min(a.at, len(a.text)):])
	}
	a.kind, a.token, a.at = awkEnd, "", len(a.text)
}

// next reads a token.
func (a *awkParser) next() {
	a.prev, a.prevTk = a.kind, a.token
	for a.at < len(a.text) {
		switch c := a.text[a.at]; {
		case c == ' ' || c == '\t' || c == '\r':
			a.at++
			continue
		case c == '\\' && strings.HasPrefix(a.text[a.at:], "\\\n"):
			a.at += 2
			continue
		case c == '#':
			for a.at < len(a.text) && a.text[a.at] != '\n' {
				a.at++
			}
			continue
		case c == '\n':
			a.at++
			a.kind, a.token = awkNewline, "\n"
			return
		}
		break
	}
	if a.at >= len(a.text) {
		a.kind, a.token = awkEnd, ""
		return
	}
	rest := a.text[a.at:]
	switch c := rest[0]; {
	case c == '"':
		a.quoted('"', awkString)
	case c == '/' && a.wantsOperand():
		a.quoted('/', awkRegex)
	case '0' <= c && c <= '9' || c == '.' && len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9':
		n := 0
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.' || n > 0 && (rest[n] == 'e' || rest[n] == 'E')) {
			n++
		}
		a.take(awkLiteral, n)
	case strings.IndexByte(awkNameChars, c) >= 0:
		n := len(rest) - len(strings.TrimLeft(rest, awkNameChars))
		kind := awkName
		if n < len(rest) && rest[n] == '(' {
			kind = awkCallName
		}
		a.take(kind, n)
	default:
		for _, op := range []string{"&&", "||", "==", "!=", "<=", ">=", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "!~", ">>"} {
			if strings.HasPrefix(rest, op) {
				a.take(awkOp, 2)
				return
			}
		}
		a.take(awkOp, 1)
	}
}

func (a *awkParser) take(kind awkKind, n int) {
	a.kind, a.token = kind, a.text[a.at:a.at+n]
	a.at += n
}

// wantsOperand reports whether a slash begins a regular expression, since an
// operand must stand here.
func (a *awkParser) wantsOperand() bool {
	switch a.kind {
	case awkLiteral, awkString, awkRegex, awkName:
		return a.kind == awkName && (a.token == "print" || a.token == "return" || a.token == "in")
	case awkOp:
		return a.token != ")" && a.token != "]" && a.token != "$"
	}
	return true
}

func (a *awkParser) quoted(end byte, kind awkKind) {
	for i := a.at + 1; i < len(a.text); i++ {
		switch a.text[i] {
		case '\\':
			i++
		case '\n':
			a.fail()
			return
		case '[':
			if kind == awkRegex {
				if n := bracketEnd(a.text[i:]); n > 0 && strings.IndexByte(a.text[i:i+n], '\n') < 0 {
					i += n - 1
				}
			}
		case end:
			a.kind, a.token = kind, a.text[a.at+1:i]
			a.at = i + 1
			return
		}
	}
	a.fail()
}

// is reports whether the token is an operator or a keyword.
func (a *awkParser) is(token string) bool {
	return a.token == token && (a.kind == awkOp || a.kind == awkName || a.kind == awkCallName)
}

// accept takes a token if it is there.
func (a *awkParser) accept(token string) bool {
	if a.is(token) {
		a.next()
		return true
	}
	return false
}

func (a *awkParser) expect(token string) {
	if !a.accept(token) {
		a.fail()
	}
}

func (a *awkParser) newlines() {
	for a.kind == awkNewline {
		a.next()
	}
}

// item compiles a pattern and its action.
func (a *awkParser) item(p *awkProgram) {
	switch {
	case a.is("BEGIN"):
		a.next()
		p.begin = append(p.begin, a.block())
		return
	case a.is("END"):
		a.next()
		p.end = append(p.end, a.block())
		return
	case a.is("function"), a.is("func"):
		a.fail()
		return
	}
	var r awkRule
	if !a.is("{") {
		r.from = a.expr()
		if a.accept(",") {
			a.newlines()
			r.to = a.expr()
		}
	}
	if a.is("{") {
		r.action = a.block()
	} else if a.kind != awkNewline && a.kind != awkEnd && !a.is(";") {
		a.fail()
	}
	p.rules = append(p.rules, r)
}

func (a *awkParser) block() awkAction {
	a.expect("{")
	var list []awkAction
	for a.err == nil && !a.is("}") {
		if a.kind == awkNewline || a.is(";") {
			a.next()
			continue
		}
		if a.kind == awkEnd {
			a.fail()
			break
		}
		list = append(list, a.statement())
	}
	a.expect("}")
	return func(p *awkProgram) {
		for _, s := range list {
			if p.exit || p.skip || p.leaving != awkStay || !p.step() {
				return
			}
			s(p)
		}
	}
}

// body is the statement of if, while and for.
func (a *awkParser) body() awkAction {
	a.newlines()
	if a.accept(";") {
		return func(*awkProgram) {}
	}
	return a.statement()
}

func (a *awkParser) statement() awkAction {
	if a.depth++; a.depth > 100 {
		a.fail()
	}
	defer func() { a.depth-- }()
	switch {
	case a.is("{"):
		return a.block()
	case a.is("if"):
		return a.ifStatement()
	case a.is("while"):
		a.next()
		a.expect("(")
		cond := a.expr()
		a.expect(")")
		return loop(nil, cond, nil, a.body())
	case a.is("for"):
		return a.forStatement()
	}
	s := a.simple()
	if a.kind != awkNewline && a.kind != awkEnd && !a.is(";") && !a.is("}") {
		a.fail()
	}
	if a.is(";") {
		a.next()
	}
	return s
}

func (a *awkParser) ifStatement() awkAction {
	a.next()
	a.expect("(")
	cond := a.expr()
	a.expect(")")
	then := a.body()
	// else may follow on a new line.
	saved := *a
	for a.kind == awkNewline || a.is(";") {
		a.next()
	}
	var otherwise awkAction
	if a.accept("else") {
		otherwise = a.body()
	} else {
		*a = saved
	}
	return func(p *awkProgram) {
		if cond(p).truth() {
			then(p)
		} else if otherwise != nil {
			otherwise(p)
		}
	}
}

func loop(before awkAction, cond awkExpr, after, body awkAction) awkAction {
	return func(p *awkProgram) {
		if before != nil {
			before(p)
		}
		for p.step() && (cond == nil || cond(p).truth()) {
			body(p)
			if p.leaving == awkBreak || p.exit || p.skip {
				break
			}
			p.leaving = awkStay
			if after != nil {
				after(p)
			}
		}
		p.leaving = awkStay
	}
}

func (a *awkParser) forStatement() awkAction {
	a.next()
	a.expect("(")
	var before awkAction
	if !a.is(";") {
		saved := *a
		if a.kind == awkName {
			name := a.token
			a.next()
			if a.accept("in") && a.kind == awkName {
				array := a.token
				a.next()
				if a.accept(")") {
					return forIn(name, array, a.body())
				}
			}
			*a = saved
		}
		before = a.simple()
	}
	a.expect(";")
	var cond awkExpr
	if !a.is(";") {
		cond = a.expr()
	}
	a.expect(";")
	var after awkAction
	if !a.is(")") {
		after = a.simple()
	}
	a.expect(")")
	return loop(before, cond, after, a.body())
}

// forIn goes through an array in the order of its keys: no order is promised,
// and this one is always the same. Numbers are counted.
func forIn(name, array string, body awkAction) awkAction {
	return func(p *awkProgram) {
		var keys []string
		for k := range p.array(array) {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(x, y string) int { return awkCompare(awkInput(x), awkInput(y)) })
		for _, k := range keys {
			if !p.step() {
				return
			}
			p.setVar(name, awkInput(k))
			body(p)
			if p.leaving == awkBreak || p.skip {
				break
			}
			p.leaving = awkStay
		}
		p.leaving = awkStay
	}
}

// simple compiles a statement that fits between the semicolons of for.
func (a *awkParser) simple() awkAction {
	switch {
	case a.is("print"), a.is("printf"):
		return a.print()
	case a.is("next"):
		a.next()
		return func(p *awkProgram) { p.skip = true }
	case a.is("break"), a.is("continue"):
		how := awkBreak
		if a.token == "continue" {
			how = awkContinue
		}
		a.next()
		return func(p *awkProgram) { p.leaving = how }
	case a.is("exit"):
		a.next()
		var status awkExpr
		if a.kind != awkNewline && a.kind != awkEnd && !a.is(";") && !a.is("}") {
			status = a.expr()
		}
		return func(p *awkProgram) {
			if status != nil {
				p.status = int(status(p).num()) & 0xff
			}
			p.exit = true
		}
	case a.is("delete"):
		return a.deleteStatement()
	case a.is("getline"), a.is("return"), a.is("do"), a.is("nextfile"):
		a.fail()
		return nil
	}
	e := a.expr()
	return func(p *awkProgram) { e(p) }
}

func (a *awkParser) deleteStatement() awkAction {
	a.next()
	name := a.token
	if a.kind != awkName {
		a.fail()
	}
	a.next()
	if !a.accept("[") {
		return func(p *awkProgram) { clear(p.array(name)) }
	}
	key := a.subscript()
	return func(p *awkProgram) { delete(p.array(name), key(p)) }
}

// subscript is the key of an array; several join with SUBSEP.
func (a *awkParser) subscript() func(*awkProgram) string {
	list := a.list("]")
	return func(p *awkProgram) string {
		keys := make([]string, len(list))
		for i, e := range list {
			keys[i] = e(p).str()
		}
		return strings.Join(keys, p.vars["SUBSEP"].str())
	}
}

// list compiles expressions up to the token that ends them.
func (a *awkParser) list(end string) []awkExpr {
	noIn, noGt := a.noIn, a.noGt
	a.noIn, a.noGt = false, false
	defer func() { a.noIn, a.noGt = noIn, noGt }()
	var list []awkExpr
	for a.err == nil && !a.is(end) {
		if list = append(list, a.expr()); !a.is(",") {
			break
		}
		a.next()
		a.newlines()
	}
	a.expect(end)
	return list
}

func (a *awkParser) print() awkAction {
	formatted := a.token == "printf"
	a.next()
	var list []awkExpr
	grouped := false
	if a.is("(") {
		// print (a, b) prints two; print (a)(b) joins them.
		saved := *a
		a.next()
		list = a.list(")")
		if grouped = a.kind == awkNewline || a.kind == awkEnd || a.is(";") || a.is("}"); !grouped {
			*a, list = saved, nil
		}
	}
	a.noGt = true
	for !grouped && a.err == nil && a.kind != awkNewline && a.kind != awkEnd && !a.is(";") && !a.is("}") {
		if list = append(list, a.expr()); !a.is(",") {
			break
		}
		a.next()
		a.newlines()
	}
	a.noGt = false
	if a.is(">") || a.is(">>") || a.is("|") || formatted && len(list) == 0 {
		a.fail()
	}
	return func(p *awkProgram) {
		words := make([]string, len(list))
		for i, e := range list {
			words[i] = e(p).str()
		}
		switch {
		case formatted:
			p.write(p.sprintf(words))
		case len(words) == 0:
			p.write(p.record + p.vars["ORS"].str())
		default:
			p.write(strings.Join(words, p.vars["OFS"].str()) + p.vars["ORS"].str())
		}
	}
}

// sprintf is that of the shell's printf, but for one pass over the format.
func (p *awkProgram) sprintf(words []string) string {
	pr := &printer{c: p.c, args: words[1:]}
	// Numbers may have fractions here: only %s, %d and their like are known.
	for i, w := range pr.args {
		if n, err := strconv.ParseFloat(w, 64); err == nil && n != math.Trunc(n) && strings.Contains(words[0], "d") {
			pr.args[i] = strconv.FormatInt(int64(n), 10)
		}
	}
	if _, err := pr.format(words[0]); err != nil {
		p.stop("format %q", words[0])
	}
	if pr.status != 0 {
		p.stop("format %q with no number", words[0])
	}
	return pr.out.String()
}

// expr compiles an expression: assignment, then ?:, and so on.
func (a *awkParser) expr() awkExpr {
	if a.depth++; a.depth > 100 {
		a.fail()
	}
	defer func() { a.depth-- }()
	start := *a
	if set, ok := a.lvalue(); ok {
		op := a.token
		if a.kind == awkOp && slices.Contains([]string{"=", "+=", "-=", "*=", "/=", "%=", "^="}, op) {
			a.next()
			a.newlines()
			return set.assign(op, a.expr())
		}
	}
	if a.err == nil {
		*a = start
	}
	return a.ternary()
}

// An awkPlace is what can be assigned to.
type awkPlace struct {
	get func(*awkProgram) awkValue
	set func(*awkProgram, awkValue)
}

func (l awkPlace) assign(op string, right awkExpr) awkExpr {
	return func(p *awkProgram) awkValue {
		v := right(p)
		if op != "=" {
			v = awkArith(p, op[:1], l.get(p), v)
		}
		l.set(p, v)
		return v
	}
}

// lvalue compiles a variable, an element or a field.
func (a *awkParser) lvalue() (awkPlace, bool) {
	switch {
	case a.kind == awkName && !slices.Contains(awkKeywords, a.token):
		name := a.token
		a.next()
		if !a.is("[") {
			return awkPlace{
				func(p *awkProgram) awkValue { return p.get(name) },
				func(p *awkProgram, v awkValue) { p.setVar(name, v) },
			}, true
		}
		a.next()
		key := a.subscript()
		return awkPlace{
			func(p *awkProgram) awkValue { return p.array(name)[key(p)] },
			func(p *awkProgram, v awkValue) { p.array(name)[key(p)] = v },
		}, true
	case a.is("$"):
		a.next()
		index := a.primary()
		return awkPlace{
			func(p *awkProgram) awkValue { return p.field(int(index(p).num())) },
			func(p *awkProgram, v awkValue) { p.setField(int(index(p).num()), v.str()) },
		}, true
	}
	return awkPlace{}, false
}

var awkKeywords = []string{"if", "else", "while", "for", "in", "print", "printf", "next", "exit", "delete", "function", "getline", "BEGIN", "END", "length", "break", "continue", "return", "do"}

func (a *awkParser) ternary() awkExpr {
	cond := a.or()
	if !a.accept("?") {
		return cond
	}
	a.newlines()
	x := a.expr()
	a.newlines()
	a.expect(":")
	a.newlines()
	y := a.expr()
	return func(p *awkProgram) awkValue {
		if cond(p).truth() {
			return x(p)
		}
		return y(p)
	}
}

func awkBool(b bool) awkValue { return awkNumber(float64(truth(b))) }

func (a *awkParser) or() awkExpr {
	left := a.and()
	for a.accept("||") {
		a.newlines()
		x, y := left, a.and()
		left = func(p *awkProgram) awkValue { return awkBool(x(p).truth() || y(p).truth()) }
	}
	return left
}

func (a *awkParser) and() awkExpr {
	left := a.in()
	for a.accept("&&") {
		a.newlines()
		x, y := left, a.in()
		left = func(p *awkProgram) awkValue { return awkBool(x(p).truth() && y(p).truth()) }
	}
	return left
}

func (a *awkParser) in() awkExpr {
	left := a.match()
	for a.is("in") && !a.noIn {
		a.next()
		name := a.token
		if a.kind != awkName {
			a.fail()
		}
		a.next()
		x := left
		left = func(p *awkProgram) awkValue {
			_, ok := p.array(name)[x(p).str()]
			return awkBool(ok)
		}
	}
	return left
}

func (a *awkParser) match() awkExpr {
	left := a.compare()
	for a.is("~") || a.is("!~") {
		not := a.token == "!~"
		a.next()
		re := a.regex(a.compare)
		x := left
		left = func(p *awkProgram) awkValue {
			r := re(p)
			return awkBool(r != nil && r.re.MatchString(x(p).str()) != not)
		}
	}
	return left
}

// regex compiles a regular expression, or an expression that gives one.
func (a *awkParser) regex(operand func() awkExpr) func(*awkProgram) *regex {
	if a.kind == awkRegex {
		re, err := compile(awkRegexText(a.token), true, false)
		if err != nil {
			a.err = err
			a.fail()
		}
		a.next()
		return func(*awkProgram) *regex { return re }
	}
	e := operand()
	return func(p *awkProgram) *regex {
		re, err := compile(awkRegexText(e(p).str()), true, false)
		if err != nil {
			p.stop("a regular expression")
			return nil
		}
		return re
	}
}

// awkRegexText is a regular expression of awk as grep -E has it.
func awkRegexText(text string) string {
	return strings.NewReplacer(`\\`, `\\`, `\/`, "/", `\"`, `"`, `\r`, "\r", `\f`, "\f", `\v`, "\v", `\a`, "\a").Replace(text)
}

func (a *awkParser) compare() awkExpr {
	left := a.concat()
	for a.kind == awkOp && slices.Contains([]string{"<", "<=", "==", "!=", ">=", ">"}, a.token) {
		op := a.token
		if op == ">" && a.noGt {
			break
		}
		a.next()
		x, y := left, a.concat()
		left = func(p *awkProgram) awkValue {
			d := awkCompare(x(p), y(p))
			return awkBool(op == "<" && d < 0 || op == "<=" && d <= 0 || op == "==" && d == 0 || op == "!=" && d != 0 || op == ">=" && d >= 0 || op == ">" && d > 0)
		}
	}
	return left
}

// concat joins what stands side by side.
func (a *awkParser) concat() awkExpr {
	left := a.sum()
	for a.err == nil {
		starts := a.kind == awkLiteral || a.kind == awkString || a.kind == awkCallName ||
			a.kind == awkName && (a.token == "length" || !slices.Contains(awkKeywords, a.token)) || a.is("$") || a.is("(") || a.is("!") || a.is("++") || a.is("--")
		if !starts {
			break
		}
		x, y := left, a.sum()
		left = func(p *awkProgram) awkValue {
			text := x(p).str() + y(p).str()
			if err := p.c.shell.run.spend(len(text)); err != nil {
				p.stop("more bytes than its budget")
			}
			return awkText(text)
		}
	}
	return left
}

func awkArith(p *awkProgram, op string, a, b awkValue) awkValue {
	x, y := a.num(), b.num()
	switch op {
	case "+":
		x += y
	case "-":
		x -= y
	case "*":
		x *= y
	case "/", "%":
		if y == 0 {
			p.stop("division by zero")
			return awkValue{}
		}
		if op == "/" {
			x /= y
		} else {
			x = math.Mod(x, y)
		}
	case "^":
		x = math.Pow(x, y)
	}
	return awkNumber(x)
}

// level compiles operators of one precedence.
func (a *awkParser) level(ops []string, next func() awkExpr) awkExpr {
	left := next()
	for a.kind == awkOp && slices.Contains(ops, a.token) {
		op := a.token
		a.next()
		x, y := left, next()
		left = func(p *awkProgram) awkValue { return awkArith(p, op, x(p), y(p)) }
	}
	return left
}

func (a *awkParser) sum() awkExpr     { return a.level([]string{"+", "-"}, a.product) }
func (a *awkParser) product() awkExpr { return a.level([]string{"*", "/", "%"}, a.unary) }

func (a *awkParser) unary() awkExpr {
	if a.depth++; a.depth > 100 {
		a.fail()
	}
	defer func() { a.depth-- }()
	switch {
	case a.accept("!"):
		x := a.unary()
		return func(p *awkProgram) awkValue { return awkBool(!x(p).truth()) }
	case a.accept("-"):
		x := a.unary()
		return func(p *awkProgram) awkValue { return awkNumber(-x(p).num()) }
	case a.accept("+"):
		x := a.unary()
		return func(p *awkProgram) awkValue { return awkNumber(x(p).num()) }
	}
	base := a.increment()
	if a.accept("^") {
		power := a.unary()
		return func(p *awkProgram) awkValue { return awkArith(p, "^", base(p), power(p)) }
	}
	return base
}

// increment compiles ++x, x++ and what they stand beside.
func (a *awkParser) increment() awkExpr {
	by := 0.0
	switch {
	case a.accept("++"):
		by = 1
	case a.accept("--"):
		by = -1
	}
	start := *a
	place, ok := a.lvalue()
	if by != 0 {
		if !ok {
			a.fail()
		}
		return func(p *awkProgram) awkValue {
			v := awkNumber(place.get(p).num() + by)
			place.set(p, v)
			return v
		}
	}
	if !ok {
		*a = start
		return a.primary()
	}
	switch {
	case a.is("++"):
		by = 1
	case a.is("--"):
		by = -1
	default:
		return place.get
	}
	a.next()
	return func(p *awkProgram) awkValue {
		old := awkNumber(place.get(p).num())
		place.set(p, awkNumber(old.number+by))
		return old
	}
}

func (a *awkParser) primary() awkExpr {
	token := a.token
	switch a.kind {
	case awkLiteral:
		n, err := strconv.ParseFloat(token, 64)
		if err != nil {
			a.fail()
		}
		a.next()
		return func(*awkProgram) awkValue { return awkNumber(n) }
	case awkString:
		a.next()
		v := awkText(awkUnescape(token))
		return func(*awkProgram) awkValue { return v }
	case awkRegex:
		re := a.regex(nil)
		return func(p *awkProgram) awkValue { return awkBool(re(p).re.MatchString(p.record)) }
	case awkCallName:
		return a.function()
	case awkName:
		if token == "length" {
			a.next()
			return func(p *awkProgram) awkValue { return awkNumber(float64(len([]rune(p.record)))) }
		}
	}
	if a.is("(") {
		a.next()
		list := a.list(")")
		if len(list) != 1 {
			a.fail()
			return nil
		}
		return list[0]
	}
	if place, ok := a.lvalue(); ok {
		return place.get
	}
	a.fail()
	return func(*awkProgram) awkValue { return awkValue{} }
}

// function compiles a call of a function of awk's own.
func (a *awkParser) function() awkExpr {
	name := a.token
	a.next()
	a.expect("(")
	switch name {
	case "sub", "gsub":
		return a.substitution(name == "gsub")
	case "split":
		return a.splitCall()
	case "match":
		text := a.expr()
		a.expect(",")
		re := a.regex(a.expr)
		a.expect(")")
		return func(p *awkProgram) awkValue { return p.matchCall(text(p).str(), re(p)) }
	}
	list := a.list(")")
	f, ok := awkFunctions[name]
	if !ok || len(list) < f.least || len(list) > f.most {
		a.fail()
		return nil
	}
	return func(p *awkProgram) awkValue {
		values := make([]awkValue, len(list))
		for i, e := range list {
			values[i] = e(p)
		}
		return f.call(p, values)
	}
}

type awkFunction struct {
	least, most int
	call        func(*awkProgram, []awkValue) awkValue
}

var awkFunctions = map[string]awkFunction{
	"length": {0, 1, func(p *awkProgram, v []awkValue) awkValue {
		text := p.record
		if len(v) > 0 {
			text = v[0].str()
		}
		return awkNumber(float64(len([]rune(text))))
	}},
	"substr": {2, 3, func(_ *awkProgram, v []awkValue) awkValue {
		text := []rune(v[0].str())
		from := math.Round(v[1].num())
		to := float64(len(text)) + 1
		if len(v) > 2 {
			to = min(to, from+math.Round(v[2].num()))
		}
		from = max(from, 1)
		if from >= to {
			return awkText("")
		}
		return awkText(string(text[int(from)-1 : int(to)-1]))
	}},
	"index": {2, 2, func(_ *awkProgram, v []awkValue) awkValue {
		text := v[0].str()
		i := strings.Index(text, v[1].str())
		if i < 0 {
			return awkNumber(0)
		}
		return awkNumber(float64(len([]rune(text[:i])) + 1))
	}},
	"tolower": {1, 1, func(_ *awkProgram, v []awkValue) awkValue { return awkText(strings.ToLower(v[0].str())) }},
	"toupper": {1, 1, func(_ *awkProgram, v []awkValue) awkValue { return awkText(strings.ToUpper(v[0].str())) }},
	"int":     {1, 1, func(_ *awkProgram, v []awkValue) awkValue { return awkNumber(math.Trunc(v[0].num())) }},
	"sprintf": {1, 100, func(p *awkProgram, v []awkValue) awkValue {
		words := make([]string, len(v))
		for i := range v {
			words[i] = v[i].str()
		}
		return awkText(p.sprintf(words))
	}},
}

// substitution compiles sub and gsub.
func (a *awkParser) substitution(global bool) awkExpr {
	re := a.regex(a.expr)
	a.expect(",")
	a.newlines()
	with := a.expr()
	place := awkPlace{func(p *awkProgram) awkValue { return p.field(0) }, func(p *awkProgram, v awkValue) { p.set(v.str()) }}
	if a.accept(",") {
		var ok bool
		if place, ok = a.lvalue(); !ok {
			a.fail()
		}
	}
	a.expect(")")
	return func(p *awkProgram) awkValue {
		r := re(p)
		if r == nil {
			return awkValue{}
		}
		text, replacement := place.get(p).str(), with(p).str()
		limit := -1
		if !global {
			limit = 1
		}
		matches := r.re.FindAllStringIndex(text, limit)
		if len(matches) == 0 {
			return awkNumber(0)
		}
		var b strings.Builder
		end := 0
		for _, m := range matches {
			b.WriteString(text[end:m[0]])
			for i := 0; i < len(replacement); i++ {
				switch c := replacement[i]; {
				case c == '\\' && i+1 < len(replacement) && (replacement[i+1] == '&' || replacement[i+1] == '\\'):
					i++
					b.WriteByte(replacement[i])
				case c == '&':
					b.WriteString(text[m[0]:m[1]])
				default:
					b.WriteByte(c)
				}
			}
			end = m[1]
		}
		b.WriteString(text[end:])
		if err := p.c.shell.run.spend(b.Len()); err != nil || b.Len() > maxValue {
			p.stop("more bytes than its budget")
			return awkValue{}
		}
		place.set(p, awkText(b.String()))
		return awkNumber(float64(len(matches)))
	}
}

func (a *awkParser) splitCall() awkExpr {
	text := a.expr()
	a.expect(",")
	name := a.token
	if a.kind != awkName {
		a.fail()
	}
	a.next()
	separator := func(p *awkProgram) string { return p.vars["FS"].str() }
	if a.accept(",") {
		if a.kind == awkRegex {
			fs := awkRegexText(a.token)
			if len(fs) == 1 {
				fs = "[" + fs + "]"
			}
			a.next()
			separator = func(*awkProgram) string { return fs }
		} else {
			e := a.expr()
			separator = func(p *awkProgram) string { return e(p).str() }
		}
	}
	a.expect(")")
	return func(p *awkProgram) awkValue {
		parts := p.cut(text(p).str(), separator(p))
		array := p.array(name)
		clear(array)
		for i, part := range parts {
			array[strconv.Itoa(i+1)] = awkInput(part)
		}
		return awkNumber(float64(len(parts)))
	}
}

// matchCall is match(): it sets RSTART and RLENGTH.
func (p *awkProgram) matchCall(text string, re *regex) awkValue {
	start, length := 0.0, -1.0
	if re != nil {
		if m := re.re.FindStringIndex(text); m != nil {
			start = float64(len([]rune(text[:m[0]])) + 1)
			length = float64(len([]rune(text[m[0]:m[1]])))
		}
	}
	p.vars["RSTART"], p.vars["RLENGTH"] = awkNumber(start), awkNumber(length)
	return awkNumber(start)
}
