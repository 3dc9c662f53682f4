package script

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// A rule is a script, and what comes of it.
type rule struct {
	rule, script, want string // want is what is printed, and the status if it is not 0
}

// shellRules are what scripts rely on, and what dash does. Each script is run
// with the parameters a, "b c" and nothing, in an empty directory.
var shellRules = []rule{
	{"words are split at blanks", `x='a  b'; set -- $x; echo $#`, "2\n"},
	{"quotes keep blanks", `x='a  b'; set -- "$x"; echo "$# $1"`, "1 a  b\n"},
	{"empty quotes are a field", `set -- "" ''; echo $#`, "2\n"},
	{"an empty variable is no field", `x=; set -- $x; echo $#`, "0\n"},
	{"every other delimiter counts", `IFS=:; x=a::b:; set -- $x; echo "$#:$1:$2:$3"`, "3:a::b\n"},
	{"a leading delimiter makes an empty field", `IFS=:; x=:a; set -- $x; echo $#`, "2\n"},
	{"blanks around a delimiter belong to it", `IFS=': '; x='a : b'; set -- $x; echo $#`, "2\n"},
	{"IFS can be put back", `o=$IFS; IFS=:; IFS=$o; x='a b'; set -- $x; echo $#; unset IFS; set -- $x; echo $#; IFS=: sh -c 'x=a:b; set -- $x; echo $#'`, "2\n2\n1\n"},
	{"no IFS, no splitting", `IFS=; x='a b'; set -- $x; echo $#`, "1\n"},
	{"parts of a word join", `x='1 2'; set -- a$x"b c"; echo "$#,$1,$2"`, "2,a1,2b c\n"},
	{"at-parameters stay apart", `for i in "$@"; do echo "<$i>"; done`, "<a>\n<b c>\n<>\n"},
	{"at-parameters join with their neighbours", `set -- 1 2; for i in "x$@y"; do echo "<$i>"; done`, "<x1>\n<2y>\n"},
	{"no at-parameters, no field", `set --; set -- "$@"; echo $#`, "0\n"},
	{"star-parameters join with IFS", `IFS=,; echo "$*"`, "a,b c,\n"},
	{"unquoted at-parameters are split", `for i in $@; do echo "<$i>"; done`, "<a>\n<b>\n<c>\n"},
	{"positional parameters above nine", `set -- 1 2 3 4 5 6 7 8 9 ten; echo ${10} $10`, "ten 10\n"},
	{"shift", `shift 2; echo "$#<$1>"`, "1<>\n"},
	{"defaults", `unset x; y=; echo ${x-1} ${x:-2} ${y-3} ${y:-4} ${z+5} ${y+6} ${y:+7}.`, "1 2 4 6 .\n"},
	{"a default is assigned", `: ${x:=v}; echo $x`, "v\n"},
	{"a default may hold quotes", `set -- ${x:-"a b" c}; echo "$#<$1>"`, "2<a b>\n"},
	{"a quoted default is one word", `set -- "${x:-a  b}"; echo "$#<$1>"`, "1<a  b>\n"},
	{"an error message ends the script", `echo a; (: ${x:?gone}) 2>/dev/null; echo $?; : ${x?} 2>/dev/null; echo b`, "a\n2\nstatus 2"},
	{"prefixes and suffixes", `x=a/b/c; echo ${x#*/} ${x##*/} ${x%/*} ${x%%/*}`, "b/c c a/b a\n"},
	{"a quoted pattern is literal", `x='a*b'; echo "${x%'*b'}" "${x#"a*"}"`, "a b\n"},
	{"length", `x=hello; echo ${#x} ${#1} $#`, "5 1 3\n"},
	{"nested expansions", `x=abc; y=c; echo ${x%"${y}"} ${z:-${x#a}}`, "ab bc\n"},
	{"tilde", `HOME=/h; echo ~ ~/a "~" x~; y=~/b:~/c; echo $y`, "/h /h/a ~ x~\n/h/b:/h/c\n"},
	{"arithmetic", `x=5; echo $((x * 2 + 1)) $(( (x - 2) % 2 )) $((x > 3 && x < 9)) $((x == 5 ? 7 : 8)) $((-7 / 2)) $((1 << 4 | 1))`, "11 1 1 7 -3 17\n"},
	{"arithmetic with octal and hexadecimal", `echo $((010 + 0x10))`, "24\n"},
	{"arithmetic assigns", `: $((x = 3)) $((x += 4)); echo $x`, "7\n"},
	{"arithmetic of unset names", `echo $((nothing + 1))`, "1\n"},
	{"arithmetic of parameters", `set -- 4; echo $(($1 + $#))`, "5\n"},
	{"an expansion may make an expression", `x='6 * 100'; echo $(( $(echo "$x + 12") )) $(($x))`, "612 600\n"},
	{"command substitution drops newlines at the end", `x=$(printf 'a\nb\n\n'); echo "$x."`, "a\nb.\n"},
	{"backquotes", "echo `echo \\`echo a\\`` \"`echo 'b  c'`\"", "a b  c\n"},
	{"status of a substitution", `x=$(exit 3); echo $?; y=1; echo $?`, "3\n0\n"},
	{"no word, no command", `$(true) && echo yes; x=$(false) || echo no`, "yes\nno\n"},
	{"globs", `mkdir d; touch d/a d/b d/.c; echo d/* d/.[a-z] d/[!a] d/x*; cd d; echo *`, "d/a d/b d/.c d/b d/x*\na b\n"},
	{"globs of directories", `mkdir -p p/q r; touch p/q/f; echo */*/f */`, "p/q/f p/ r/\n"},
	{"quoted globs are literal", `touch ab; echo "a*" a\* 'a'*`, "a* a* ab\n"},
	{"set -f", `touch ab; set -f; echo a*; set +f; echo a*`, "a*\nab\n"},
	{"case", `for i in abc a.c '*' ''; do case "$i" in a?c) echo 1;; '*') echo 2;; a*|x) echo 3;; *) echo 4;; esac; done`, "1\n1\n2\n4\n"},
	{"case with classes", `case x5 in [[:alpha:]][0-9]) echo y;; esac; case - in [a-]) echo z;; esac; case b in [!a]) echo n;; esac`, "y\nz\nn\n"},
	{"case patterns from variables", `p='a*'; case abc in "$p") echo q;; $p) echo u;; esac`, "u\n"},
	{"case status", `false; case x in y) ;; esac; echo $?; case x in x) false;; esac; echo $?`, "0\n1\n"},
	{"if and elif", `if false; then echo 1; elif true; then echo 2; else echo 3; fi; if false; then :; fi; echo $?`, "2\n0\n"},
	{"while and until", `i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; until [ $i = 0 ]; do i=$((i-1)); done; echo $i $?`, "0 0\n"},
	{"break and continue", `for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done`, "1\n3\n"},
	{"break out of two", `for i in 1 2; do for j in a b; do [ $j = b ] && break 2; echo $i$j; done; done`, "1a\n"},
	{"for without words", `for i; do echo $i; done`, "a\nb c\n\n"},
	{"functions have parameters of their own", `f() { echo "$1 $#"; shift; }; f x y; echo $1`, "x 2\na\n"},
	{"return", `f() { return 3; echo no; }; f; echo $?; g() { false; return; }; g; echo $?`, "3\n1\n"},
	{"local", `x=1; f() { local x=2 y; y=3; g; }; g() { echo $x; x=4; }; f; echo $x ${y-unset}`, "2\n1 unset\n"},
	{"local is not split", `f() { local x=$1; echo "$x"; }; f 'a b'`, "a b\n"},
	{"variables for one command", `f() { echo $x; }; x=1; x=2 f; echo $x; x=3 true; echo $x`, "2\n1\n1\n"},
	{"variables before a special builtin stay", `x=1 :; echo $x`, "1\n"},
	{"subshells keep to themselves", `x=1; (x=2; cd /; set -f; f() { :; }); echo $x; type f >/dev/null 2>&1 || echo none`, "1\nnone\n"},
	{"a pipe's last command is a subshell", `echo a | read x; echo "<$x>"; echo b | { read y; echo $y; }`, "<>\nb\n"},
	{"exit in a pipe", `echo a | while read x; do exit 3; done; echo $?`, "3\n"},
	{"pipes of three", `printf 'c\na\nb\n' | sort | head -n 1`, "a\n"},
	{"pipe status", `false | true; echo $?; true | false; echo $?`, "0\n1\n"},
	{"negation", `! false; echo $?; ! true; echo $?; ! false | true; echo $?`, "0\n1\n1\n"},
	{"and, or", `true && echo 1 || echo 2; false && echo 3 || echo 4; false || false && echo 5; echo $?`, "1\n4\n1\n"},
	{"set -e ends", `set -e; echo 1; false; echo 2`, "1\nstatus 1"},
	{"set -e in a condition", `set -e; if false; then :; fi; false || true; ! true; while false; do :; done; false && true; echo end`, "end\n"},
	{"set -e in a function below a condition", `set -e; f() { false; echo on; }; f || true; if f; then :; fi; f; echo no`, "on\non\nstatus 1"},
	{"set -e in a subshell below a condition", `set -e; (false; echo on) || true; echo end`, "on\nend\n"},
	{"set -e in a substitution", `set -e; x=$(false; echo on) || true; echo "<$x>"; y=$(false); echo no`, "<>\nstatus 1"},
	{"set -e at the end of and", `set -e; true && false; echo no`, "status 1"},
	{"set -e in braces", `set -e; { false; echo no; }`, "status 1"},
	{"set -e in a pipe", `set -e; false | true; echo on; true | false; echo no`, "on\nstatus 1"},
	{"set -e and a subshell", `set -e; (exit 4); echo no`, "status 4"},
	{"set -e and a negated group", `set -e; ! { false; echo in; }; echo on`, "in\non\n"},
	{"set -e in the last of a case", `set -e; case a in a) false;; esac; echo no`, "status 1"},
	{"set -e in eval", `set -e; eval false || true; eval 'false; echo no'`, "status 1"},
	{"set -e and local", `set -e; f() { local x=$(false); echo on; }; f`, "on\n"},
	{"set -u", `set -u; echo ${x-d}; echo "$#$*" >/dev/null; (echo $x) 2>/dev/null; echo $?; echo $y 2>/dev/null; echo no`, "d\n2\nstatus 2"},
	{"exit", `echo a; exit 5; echo b`, "a\nstatus 5"},
	{"exit with the last status", `(exit 7); exit`, "status 7"},
	{"trap on exit", `trap 'echo bye $?' EXIT; echo a; exit 3`, "a\nbye 3\nstatus 3"},
	{"trap on exit may change the status", `trap 'exit 9' 0; exit 3`, "status 9"},
	{"trap and set -e", `set -e; trap 'echo t' EXIT; false; echo no`, "t\nstatus 1"},
	{"trap is taken back", `trap 'echo t' EXIT; trap - EXIT; echo a`, "a\n"},
	{"trap of a subshell", `trap 'echo out' EXIT; (trap 'echo in' EXIT; :); (:)`, "in\nout\n"},
	{"traps of signals never run", `trap 'echo x' HUP INT TERM 15; trap '' PIPE; trap - INT; echo a`, "a\n"},
	{"eval", `x='y=1; echo $y'; eval $x; eval "z='a b'"; echo "$z"; eval; echo $?`, "1\na b\n0\n"},
	{"sourcing", `echo 'x=1; echo in $1; return 3; echo no' > f; . ./f; echo $? $x`, "in a\n3 1\n"},
	{"sourcing a missing file ends", `. ./none 2>/dev/null; echo no`, "status 2"},
	{"export and environments", `x=1; export y=2; sh -c 'echo "<$x><$y>"'; z=3 sh -c 'echo $z'`, "<><2>\n3\n"},
	{"sh -c has parameters", `sh -c 'echo $0 $1 $#' n p q`, "n p 2\n"},
	{"sh -e", `sh -e -c 'false; echo no'; echo $?; sh -ec 'false; echo no' || echo f`, "1\nf\n"},
	{"scripts of the tree", `printf '#!/bin/sh\necho "$0 $1"\nexit 4\n' > s; chmod +x s; ./s a; echo $?; sh s b`, "./s a\n4\ns b\nstatus 4"},
	{"readonly", `readonly x=1; (x=2) 2>/dev/null; echo $?; echo $x`, "2\n1\n"},
	{"unset", `x=1; f() { :; }; unset x; unset -f f; echo ${x-gone}; type f >/dev/null 2>&1 || echo $?`, "gone\n127\n"},
	{"here-documents", "x=v; cat <<E; cat <<'E'; cat <<-E\n$x \\$x `echo s` \"q\"\nE\n$x \\$x\nE\n\ttab $x\n\t\tE\n", "v $x s \"q\"\n$x \\$x\ntab v\n"},
	{"here-documents feed loops", "while read a b; do echo $b $a; done <<E\n1 2 3\n4\nE\n", "2 3 1\n4\n"},
	{"redirections", `echo a > f; echo b >> f; cat < f; cat f > g 2>&1; wc -l < g | tr -d ' '`, "a\nb\n2\n"},
	{"redirections of groups", `{ echo a; echo b; } > f; (echo c; echo d >&2) >> f 2>&1; cat f`, "a\nb\nc\nd\n"},
	{"redirections of functions and loops", `f() { echo in; } > f; f; for i in 1 2; do echo $i; done >> f; cat f`, "in\n1\n2\n"},
	{"exec keeps redirections", `exec 3>&1 >f; echo a; exec >&3 3>&-; echo b; cat f`, "b\na\n"},
	{"exec reads", `printf '1\n2\n' > f; exec 3< f; read x <&3; read y <&3; echo $x$y; exec 3<&-`, "12\n"},
	{"order of redirections", `sh -c 'echo e >&2' 2>&1 >/dev/null | cat; ls none 2>/dev/null >&2 || echo s`, "e\ns\n"},
	{"reading and writing at once", `printf 'abc' > f; printf X 1<> f; cat f; echo`, "Xbc\n"},
	{"set -C", `echo a > f; set -C; (echo b > f) 2>/dev/null; echo $?; echo c >| f; cat f`, "2\nc\n"},
	{"a redirection that fails", `cat < none 2>/dev/null; echo $?; { cat < none; } 2>/dev/null || echo b`, "2\nb\n"},
	{"a redirection that fails on a special builtin", `: < none 2>/dev/null; echo no`, "status 2"},
	{"read splits", `echo ' a  b  c ' | { read x y; echo "<$x><$y>"; }; echo 'a:b:c:' | { IFS=: read x y; echo "<$x><$y>"; }`, "<a><b  c>\n<a><b:c:>\n"},
	{"read keeps empty fields", `echo 'r:x::0' | { IFS=: read a b c d; echo "<$a><$b><$c><$d>"; }`, "<r><x><><0>\n"},
	{"read and backslashes", `printf 'a\\ b\\\nc\n' | { read x; echo "$x"; }; printf 'a\\tb\n' | { read -r x; printf '%s\n' "$x"; }`, "a bc\na\\tb\n"},
	{"read at the end", `printf a | { read x || echo "end $x"; }; read x < /dev/null; echo $?`, "end a\n1\n"},
	{"read leaves the rest", `printf '1\n2\n3\n' | { read x; cat; }`, "2\n3\n"},
	{"getopts", `set -- -ab val -c -- x; while getopts ab:c o; do echo "$o ${OPTARG-}"; done; shift $((OPTIND - 1)); echo $1`, "a \nb val\nc \nx\n"},
	{"getopts in silence", `set -- -x -b; while getopts :b: o; do echo "$o $OPTARG"; done`, "? x\n: b\n"},
	{"umask", `umask 077; umask; touch f; stat -c %a f; mkdir d; stat -c %a d`, "0077\n600\n700\n"},
	{"cd", `mkdir -p d/e; cd d/e; cd ..; pwd | sed 's:.*/::'; cd - >/dev/null; echo ${PWD##*/}; cd none 2>/dev/null; echo $?`, "d\ne\n2\n"},
	{"cd follows links", `mkdir -p a/b; ln -s a/b l; cd l; echo ${PWD##*/}; cd -P .; echo ${PWD##*/}; cd ..; echo ${PWD##*/}`, "l\nb\na\n"},
	{"test of strings", `[ a = a ] && [ a != b ] && [ -n a ] && [ -z "" ] && [ a ] && ! [ "" ] && echo y`, "y\n"},
	{"test of numbers", `[ 1 -lt 2 ] && [ 2 -ge 2 ] && [ 03 -eq 3 ] && ! [ -1 -gt 0 ] && echo y; [ a -eq 1 ] 2>/dev/null; echo $?`, "y\n2\n"},
	{"test of three words", `[ -n = -n ] && [ ! = ! ] && [ "(" = "(" ] && ! [ ! a ] && echo y; x=-f; [ "$x" = -f ] && echo z`, "y\nz\n"},
	{"test with and, or", `[ a = a -a b = b ] && [ a = b -o b = b ] && [ ! a = b -a b = b ] && ! [ ! a = a -a b = b ] && [ \( a = b \) -o c ] && echo y`, "y\n"},
	{"test of files", `touch f; mkdir d; ln -s f l; ln -s none m; echo x > s; [ -f f ] && [ -e d ] && [ -d d ] && [ -L l ] && [ -h m ] && ! [ -e m ] && [ -f l ] && [ -s s ] && ! [ -s f ] && ! [ -x f ] && [ -x d ] && [ -r f ] && echo y`, "y\n"},
	{"test without operands", `[ -f ]; echo $?; [ ]; echo $?; [ = ]; echo $?; test; echo $?; [ a 2>/dev/null; echo $?`, "0\n1\n0\n1\n2\n"},
	{"command", `f() { echo f; }; echo() { printf 'mine\n'; }; echo; command echo x; command -v f; command -v none; printf '%s\n' $?`, "mine\nx\nf\n127\n"},
	{"builtins of the shell are found", `command -v cd; command -v test; command -v :`, "cd\ntest\n:\n"},
	{"a missing command", `./none 2>/dev/null; echo $?; nosuch=/x/y; $nosuch 2>/dev/null || echo f`, "127\nf\n"},
	{"echo and its escapes", `echo 'a\tb\\c\0101'; echo -n x; echo -e y; echo 'stop\cno'; echo`, "a\tb\\cA\nx-e y\nstop\n"},
	{"printf", `printf '%s-%5s-%-4s|%03d %x %o %c%%\n' a b c 7 255 8 xyz; printf '%s\n' 1 2; printf '%b' 'a\tb\n'; printf 'x\n%s'; echo`, "a-    b-c   |007 ff 10 x%\n1\n2\na\tb\nx\n\n"},
	{"printf of numbers", `printf '%d %d %d\n' 0x1f 010 "'A"; printf '%d\n'; printf '%.2s|%*d\n' abc 4 5`, "31 8 65\n0\nab|   5\n"},
	{"dollar at the end", `echo a$ "$" $`, "a$ $ $\n"},
	{"flags in dollar-minus", `set -eu; case $- in *e*) echo y;; esac; case $- in *f*) echo n;; esac`, "y\n"},
	{"set -- with a flag", `set -e -- x; echo $1 $#; set -- -a; echo $1`, "x 1\n-a\n"},
	{"set - and plus", `set -e; set +e; false; echo on`, "on\n"},
	{"comments and continuation", "echo a \\\n b # c\n# d\necho 'e#f' g#h", "a b\ne#f g#h\n"},
	{"assignment from a command's output", `x=$(echo "a b") y=$x; echo "$y"`, "a b\n"},
	{"several statements in conditions", `if echo x; false; then echo no; else echo e; fi; while echo c; false; do :; done`, "x\ne\nc\n"},
	{"exec ends", `echo a; exec echo b; echo no`, "a\nb\n"},
	{"aliases", "alias ll='echo -n' up='x=1 sh -c'\nll a; up 'echo $x'\nalias e=echo\nf() { e in; }; f", "a1\nin\n"},
	{"bytes that are no UTF-8", "x='\xe4\xff'; printf '%s' \"$x\" | wc -c | tr -d ' '; echo \xe9 | wc -c | tr -d ' '; case $x in *\xff) echo y;; esac; # \xe4", "2\n2\ny\n"},
	{"wait and hash do nothing", `wait; hash -r; echo $?`, "0\n"},
	{"dollar-zero of a function", `f() { echo "${0##*/}"; }; f`, "script\n"},
	{"quotes in a here-document", "cat <<E\n\"a\" 'b' \\\" \\\\ ${x:-\"q\"}\nE", "\"a\" 'b' \\\" \\ q\n"},
	{"assignments see the ones before", `a=1 b=$a; echo $b`, "1\n"},
	{"a loop reads what it is fed", `printf 'a b\nc\n' | while read x y; do echo "$y$x"; done > f; cat f`, "ba\nc\n"},
	{"long pipes do not block", `i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done | head -n 1`, "0123456789012345678901234567890123456789\n"},
}

func TestShell(t *testing.T)            { interpreted(t, shellRules) }
func TestShellAgainstDash(t *testing.T) { byDash(t, shellRules) }

// interpreted runs scripts in the folder /w of a tree.
func interpreted(t *testing.T, rules []rule) {
	for _, tt := range rules {
		t.Run(tt.rule, func(t *testing.T) {
			h := newHarness(t, "/w/\n")
			res := h.run(t, "cd /w\nset -- a 'b c' ''\n"+tt.script)
			if res.Unknown != "" {
				t.Fatalf("unknown: %s", res.Unknown)
			}
			if got := outcome(h.out.String(), res.Status); got != tt.want {
				t.Errorf("%s\ngot:  %q\nwant: %q\nstderr: %s", tt.script, got, tt.want, res.Stderr)
			}
		})
	}
}

func outcome(out string, status int) string {
	if status != 0 {
		out += fmt.Sprintf("status %d", status)
	}
	return strings.ReplaceAll(out, "postinst\n", "script\n")
}

// byDash has the shell that Debian's scripts are written for, and the host's
// commands, run the same scripts in a folder of the host.
func byDash(t *testing.T, rules []rule) {
	dash, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("no dash on this machine")
	}
	for _, tt := range rules {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(dash, "-c", "set -- a 'b c' ''\n"+tt.script, "script")
			cmd.Dir = t.TempDir()
			cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
			out, err := cmd.Output()
			var failed *exec.ExitError
			if err != nil && !errors.As(err, &failed) {
				t.Fatal(err)
			}
			if got := outcome(string(out), cmd.ProcessState.ExitCode()); got != tt.want {
				t.Errorf("%s\ndash: %q\nhere: %q", tt.script, got, tt.want)
			}
		})
	}
}
