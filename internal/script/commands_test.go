package script

import (
	"testing"
)

// commandRules are what scripts rely on of the commands. They are run as
// shellRules are.
var commandRules = []rule{
	{"mkdir -p is content with what is there", `mkdir -p a/b/c; mkdir -p a/b; mkdir a 2>/dev/null; echo $?; mkdir x/y 2>/dev/null; echo $?; ls a/b`, "1\n1\nc\n"},
	{"mkdir -m", `mkdir -m 1750 a; stat -c %a a; mkdir -p -m 700 p/q; stat -c %a p p/q; mkdir -m u=rwx,go= s; stat -c %a s`, "1750\n755\n700\n700\n"},
	{"rmdir", `mkdir -p a/b; rmdir a 2>/dev/null; echo $?; rmdir --ignore-fail-on-non-empty a; echo $?; rmdir -p a/b; ls; touch f; rmdir f 2>/dev/null || echo no`, "1\n0\nno\n"},
	{"rm", `touch f; mkdir -p d/e; rm none 2>/dev/null; echo $?; rm -f none; echo $?; rm d 2>/dev/null; echo $?; rm -rf d f; ls; rm -f; echo $?`, "1\n0\n1\n0\n"},
	{"rm of a link takes the link", `mkdir d; touch d/f; ln -s d l; rm -rf l; ls d`, "f\n"},
	{"touch", `touch f; echo a > g; touch g; cat g; touch -c none; ls; touch no/f 2>/dev/null; echo $?`, "a\nf\ng\n1\n"},
	{"ln -s", `ln -s a l; readlink l; ln -s b l 2>/dev/null; echo $?; ln -sf b l; readlink l`, "a\n1\nb\n"},
	{"ln into a directory", `mkdir d e; ln -s ../x d; readlink d/x; ln -s d dl; ln -sf y dl; readlink dl/y; ln -sfn e dl; readlink dl; ln -sT e t; readlink t`, "../x\ny\ne\ne\n"},
	{"ln -sr", `mkdir -p a/b c; touch c/f; ln -sr c/f a/b/l; readlink a/b/l; ln -srf a/b/../../c a/l; readlink a/l`, "../../c/f\n../c\n"},
	{"hard links", `echo 1 > f; ln f g; echo 2 > g; cat f; rm f; cat g; ln g g 2>/dev/null; echo $?; ln -f g h; cat h; ln none x 2>/dev/null; echo $?`, "2\n2\n1\n2\n1\n"},
	{"hard links share their mode", `echo 1 > f; ln f g; chmod 600 g; stat -c %a f; mv f h; chmod 640 h; stat -c %a g`, "600\n640\n"},
	{"cp", `echo a > f; chmod 751 f; cp f g; stat -c %a g; chmod 600 g; echo b > f; cp f g; cat g; stat -c %a g; cp f f 2>/dev/null; echo $?; cp none x 2>/dev/null; echo $?`, "751\nb\n600\n1\n1\n"},
	{"cp and the umask", `umask 077; echo a > f; chmod 4755 f; cp f g; stat -c %a g; cp -p f h; stat -c %a h`, "700\n4755\n"},
	{"cp -r", `mkdir -p a/b; echo x > a/b/f; ln -s f a/b/l; cp -r a c; cat c/b/f; readlink c/b/l; cp -r a c; ls c; cp a d 2>/dev/null; echo $?`, "x\nf\na\nb\n1\n"},
	{"cp -r of contents", `mkdir -p a/b c; touch a/.h a/f; cp -r a/. c; ls -A c; cp -a a/* c`, ".h\nb\nf\n"},
	{"cp and links", `echo x > f; ln -s f l; cp l m; test -L m || echo file; cp -d l n; readlink n; cp -a l o; readlink o; cp -P l p; readlink p; cp -L l q; test -L q || echo file`, "file\nf\nf\nf\nfile\n"},
	{"cp through a link", `echo x > f; echo y > g; ln -s g l; cp f l; cat g; readlink l`, "x\ng\n"},
	{"cp -n and -f", `echo 1 > a; echo 2 > b; cp -n a b 2>/dev/null; cat b; cp -f a b; cat b`, "2\n1\n"},
	{"cp to a directory", `mkdir d; touch a b; cp a b d; ls d; cp a b c 2>/dev/null; echo $?; cp -t d a; cp -T a d 2>/dev/null; echo $?`, "a\nb\n1\n1\n"},
	{"cp of /dev/null", `echo a > f; cp /dev/null f; wc -c < f | tr -d ' '; cp /dev/null g; stat -c %s g`, "0\n0\n"},
	{"mv", `echo a > f; mv f g; cat g; mkdir d; mv g d; ls d; mv d e; ls e; mv none x 2>/dev/null; echo $?; echo 1 > p; echo 2 > q; mv -f p q; cat q; mv -n q e/g; ls`, "a\ng\ng\n1\n1\ne\nq\n"},
	{"mv of directories", `mkdir -p a/b c/a/x; mv a c 2>/dev/null; echo $?; mkdir d; mv d/../a e; ls e; mv e e/b 2>/dev/null; echo $?; touch f; mv e f 2>/dev/null; echo $?; mv -T e d; ls d`, "1\nb\n1\n1\nb\n"},
	{"mv of links", `ln -s x l; mkdir d; ln -s d k; mv l k; readlink d/l; mv k m; readlink m`, "x\nd\n"},
	{"install", `echo a > f; install -m 640 f g; stat -c %a g; install f h; stat -c %a h; install -d -m 700 x/y; stat -c %a x x/y; install -D -m 4711 f p/q/r; stat -c %a p p/q/r; install -m 600 f x; ls x; install -m 644 /dev/null e; stat -c '%a %s' e`, "640\n755\n755\n700\n755\n4711\nf\ny\n644 0\n"},
	{"install replaces a link", `echo a > f; echo b > g; ln -s g l; install -m 644 f l; test -L l || cat l; cat g; install -d f 2>/dev/null; echo $?`, "a\nb\n1\n"},
	{"chmod of numbers", `touch f; mkdir d; chmod 4755 f; stat -c %a f; chmod 644 f; stat -c %a f; chmod 2755 d; chmod 700 d; stat -c %a d; chmod 00700 d; stat -c %a d`, "4755\n644\n2700\n700\n"},
	{"chmod of letters", `touch f; chmod u+x,g=w,o-r f; stat -c %a f; chmod a=r f; stat -c %a f; chmod +x f; stat -c %a f; chmod u+s,g+s f; stat -c %a f; chmod g-s,o= f; stat -c %a f; chmod go=u f; stat -c %a f; chmod u=rwX,+t f; stat -c %a f; chmod -x f; stat -c %a f`, "720\n444\n555\n6555\n4550\n4555\n1755\n1644\n"},
	{"chmod and the umask", `umask 027; touch f; chmod 0 f; chmod +rwx f; stat -c %a f; chmod a+w f; stat -c %a f; chmod =r f; stat -c %a f`, "750\n772\n440\n"},
	{"chmod -R", `mkdir -p d/e; touch d/f d/e/g; ln -s none d/l; chmod -R u=rwX,go=rX d; stat -c %a d d/f d/e/g; chmod -R a-x,a+X d; stat -c %a d d/f; chmod 600 none 2>/dev/null; echo $?`, "755\n644\n644\n755\n644\n1\n"},
	{"chmod of a directory's special bits", `mkdir d; chmod 3775 d; stat -c %a d; chmod g-s d; stat -c %a d; chmod =rx d; stat -c %a d; chmod u=rwx,g=rs,o=t d; stat -c %a d`, "3775\n1775\n555\n3740\n"},
	{"cat", `printf a > f; printf 'b\n' > g; cat f g; cat f - < g; cat none f 2>/dev/null; echo $?; cat < /dev/null`, "ab\nab\na1\n"},
	{"head and tail", `seq 1 12 > f; head -n 2 f; head -1 f; tail -n 2 f; tail -1 < f; tail -n +11 f; head -n -10 f; head -c 3 f; head f | wc -l | tr -d ' '; tail -c 3 f`, "1\n2\n1\n11\n12\n12\n11\n12\n1\n2\n1\n210\n12\n"},
	{"wc", `printf 'a b\nc\n' > f; wc -l f; wc -w < f; wc -c < f; cat f | wc -l`, "2 f\n3\n6\n2\n"},
	{"tr", `echo hello | tr a-y b-z; echo 'a  b' | tr -s ' '; echo a-b | tr -d -- -; echo 'x,y' | tr , '\n'; echo aBc | tr '[:upper:]' '[:lower:]'; echo abc123 | tr -cd '[:digit:]'; echo; echo 'a b' | tr -c 'a-z\n' _; echo aabb | tr -s a-z x; printf '%s\n' 'a\b' | tr '\\' /`, "ifmmp\na b\nab\nx\ny\nabc\n123\na_b\nx\na/b\n"},
	{"tr with a shorter second set", `echo abcd | tr abcd xy; echo 'a:b' | tr ':' '\0' | tr '\0' ' '; echo ab | tr 'a-b' 'A-B'`, "xyyy\na b\nAB\n"},
	{"cut", `echo a:b:c | cut -d: -f2; echo a:b:c | cut -d: -f1,3; echo a:b:c | cut -d : -f 2-; echo none | cut -d: -f2; echo none | cut -s -d: -f2; echo abcdef | cut -c2-4,6; echo 'a b' | cut -d ' ' -f 1; printf 'a\tb\n' | cut -f2; echo a:b | cut -d: -f1,2 --output-delimiter=-`, "b\na:c\nb:c\nnone\nbcdf\na\nb\na-b\n"},
	{"sort", `printf 'b\na\nB\na\n' | sort; printf 'b\na\na\n' | sort -u; printf '10\n9\n' | sort -n; printf '10\n9\n' | sort; printf 'a\nb\n' | sort -r; printf 'x 2\ny 1\n' | sort -k2; printf 'x:10\ny:9\n' | sort -t: -k2n; printf 'x:10\ny:9\n' | sort -t : -k 2,2 -n -r`, "B\na\na\nb\na\nb\n9\n10\n10\n9\nb\na\ny 1\nx 2\ny:9\nx:10\nx:10\ny:9\n"},
	{"sort of versions", `printf '8.10\n8.4\n8.4~rc\n7.9\n' | sort -V; printf 'b\n' > f; echo a | sort - f; sort -o f f; printf 'b 1\na 1\nb 0\n' | sort -k1,1 -s; printf 'a 1\na 2\n' | sort -u -k1,1`, "7.9\n8.4~rc\n8.4\n8.10\na\nb\na 1\nb 1\nb 0\na 1\n"},
	{"uniq", `printf 'a\na\nb\na\n' | uniq; printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d; printf 'a\na\nb\n' | uniq -u`, "a\nb\na\n      2 a\n      1 b\na\nb\n"},
	{"tee", `echo a | tee f; echo b | tee -a f > /dev/null; cat f`, "a\na\nb\n"},
	{"cmp and diff", `echo a > f; echo a > g; echo b > h; cmp f g && echo same; cmp -s f h; echo $?; cmp -s f none 2>/dev/null; echo $?; diff -q f g; echo $?; diff -q f h; diff f h > /dev/null; echo $?`, "same\n1\n2\n0\nFiles f and h differ\n1\n"},
	{"comm, tac, rev", `printf 'a\nb\n' > f; printf 'b\nc\n' > g; comm f g; comm -12 f g; comm -3 f g; tac f; echo abc | rev`, "a\n\t\tb\n\tc\nb\na\n\tc\nb\na\ncba\n"},
	{"basename and dirname", `basename /a/b.txt .txt; basename /a/b/; basename /; basename .txt .txt; basename -a a/b c; basename -s .x a.x; dirname /a/b /a a /a/b/ / a//b`, "b\nb\n/\n.txt\nb\nc\na\n/a\n/\n.\n/a\n/\na\n"},
	{"readlink", `mkdir -p d/e; ln -s d/e l; ln -s none m; readlink l; readlink d; echo $?; readlink -f l/x | sed 's:.*/d/:d/:'; readlink -e m; echo $?; readlink -f m | sed 's:.*/::'; readlink -f no/such; echo $?; readlink -m no/./such/../x | sed 's:.*/no:no:'; readlink -n l`, "d/e\n1\nd/e/x\n1\nnone\n1\nno/x\nd/e"},
	{"readlink -f of the root and of links to it", `readlink -f /; readlink -f /bin/../.; ln -s / r; readlink -f r; ln -s loop loop; readlink -f loop; echo $?; cat loop 2>/dev/null; echo $?`, "/\n/usr\n/\n1\n1\n"},
	{"realpath", `mkdir d; ln -s d l; realpath l | sed 's:.*/::'; realpath -m x/y | sed 's:.*/x:x:'; realpath --relative-to=d l`, "d\nx/y\n.\n"},
	{"stat", `echo abc > f; chmod 640 f; stat -c '%a %s %F %n %A' f; mkdir d; stat -c %F d; ln -s f l; stat -c '%F %N' l; stat -L -c %F l; touch e; stat --format=%F e; stat --printf '%a\n' f; stat -c %a none 2>/dev/null; echo $?`, "640 4 regular file f -rw-r-----\ndirectory\nsymbolic link 'l' -> 'f'\nregular file\nregular empty file\n640\n1\n"},
	{"ls", `mkdir d; touch d/b d/a d/.h f; ls d; ls -A d; ls -d d; ls f d/a; ls -1 d f; ls none 2>/dev/null; echo $?; ls d/* | head -n 1; ln -s none m; ls m`, "a\nb\n.h\na\nb\nd\nd/a\nf\nf\n\nd:\na\nb\n2\nd/a\nm\n"},
	{"seq", `seq 3; seq 2 4; seq 1 2 5; seq 3 -1 1; seq -s , 3; seq 2 1`, "1\n2\n3\n2\n3\n4\n1\n3\n5\n3\n2\n1\n1,2,3\n"},
	{"expr", `expr 1 + 2; expr 2 \* 3; expr 7 / 2; expr 7 % 2; expr a = a; expr a = b; echo $?; expr 10 \> 9; expr \( 1 + 2 \) \* 3; expr "" \| b; expr a \& 0; expr 5 - 5; echo $?`, "3\n6\n3\n1\n1\n0\n1\n1\n9\nb\n0\n0\n1\n"},
	{"expr matches", `expr abc : 'a\(.*\)'; expr abc : 'ab'; expr abc : x; echo $?; expr 'a,b' : '.*,b' > /dev/null && echo y; expr length abc; expr substr abcd 2 2; expr index abc c; expr xaby : 'a\|b'; expr 1 + a 2>/dev/null; echo $?; expr abc : 'x\(.\)'`, "bc\n2\n0\n1\ny\n3\nbc\n3\n0\n2\n\nstatus 1"},
	{"md5sum and its like", `printf abc > f; md5sum f; sha256sum < f | cut -c1-8; md5sum f > s; md5sum -c s; md5sum --status -c s && echo y; echo x > f; md5sum -c --status s; echo $?; sha1sum f | cut -c1-8; sha512sum f | cut -c1-8`, "900150983cd24fb0d6963f7d28e17f72  f\nba7816bf\nf: OK\ny\n1\n6fcf9dfb\n45843648\n"},
	{"env", `env x=1 sh -c 'echo $x'; x=2; env sh -c 'echo "<$x>"'; env -i y=3 | cat; export z=1; env -u z sh -c 'echo "<$z>"'; env x=5 env | grep ^x=; printenv z`, "1\n<>\ny=3\n<>\nx=5\n1\n"},
	{"date", `date -u -d @0 '+%Y-%m-%d %H:%M:%S %a %b %e %j %s %%'; date -u -d 2024-02-29 +%F; date -u -d @86400 -R`, "1970-01-01 00:00:00 Thu Jan  1 001 0 %\n2024-02-29\nFri, 02 Jan 1970 00:00:00 +0000\n"},
	{"mktemp", `t=$(mktemp); test -f "$t" && stat -c %a "$t"; rm "$t"; d=$(mktemp -d); stat -c %a $d; rmdir $d; e=$(mktemp x.XXXXXX); case $e in x.??????) test -f $e && echo y; esac; f=$(mktemp -p . y.XXX); test -f $f && echo z; mktemp -d q.XXXX/b 2>/dev/null; echo $?; g=$(mktemp -u t.XXXXX); test -e $g || echo u`, "600\n700\ny\nz\n1\nu\n"},
	{"xargs", `printf 'a b\nc\n' | xargs echo; printf 'a\0b c\0' | xargs -0 -n 1 echo; printf '' | xargs -r echo none; printf '' | xargs echo once; printf '1\n2\n' | xargs -I {} echo '<{}>'; echo x | xargs false; echo $?; printf 'a\n' | xargs sh -c 'echo $0 $#' z; printf 'a:b' | xargs -d: -n1 echo`, "a b c\na\nb c\nonce\n<1>\n<2>\n123\nz 1\na\nb\n"},

	{"grep", `printf 'abc\nxyz\nABC\n' > f; grep b f; grep -i abc f; grep -v b f; grep -c . f; grep -n x f; grep none f; echo $?; grep -q x f; echo $?; grep x none 2>/dev/null; echo $?; grep -s x none; echo $?; grep a f f`, "abc\nabc\nABC\nxyz\nABC\n3\n2:xyz\n1\n0\n2\n2\nf:abc\nf:abc\n"},
	{"grep of words and lines", `printf 'ab\na b\nab_\nabc\n' > f; grep -w ab f; grep -x ab f; grep -xF 'a b' f; grep -Fx -e nothing -e abc f; grep -qxF /lib64 f; echo $?; printf 'a+b\n' | grep -F a+b; grep -xv ab f | head -n 1; printf 'x\n' | grep -xE 'x|yz'`, "ab\nab\na b\nabc\n1\na+b\na b\nx\n"},
	{"grep's expressions", `printf 'aab\nb\n(x)\na{2}\n' > f; grep 'a\{2\}' f; grep -E 'a{2}' f; grep -E '^(b|c)$' f; grep '(x)' f; grep 'a*b' f; grep '^b$' f; egrep 'a+b' f; grep 'a\+b' f; grep -e '^b' -e x f; fgrep '(' f; grep '[^a-z]' f | head -n 1; grep '\(x\|b\))' f`, "aab\naab\nb\n(x)\naab\nb\nb\naab\naab\nb\n(x)\n(x)\n(x)\n(x)\n"},
	{"grep's classes", `printf 'a\tb\nK=v\n#c\n  ind\n' > f; grep '[[:space:]]b' f | tr '\t' _; grep -E '^[[:alpha:]_]+=' f; grep -v '^[[:space:]]*#' f | wc -l; grep '^\s*ind' f; grep '\<ind\>' f; grep '\bind' f; grep '[]x]' f; grep -E '[.*]' f; echo 'a]b' | grep '[]]'; printf '%s\n' 'a\b' | grep '[\]'; echo a-b | grep '[a-]-'`, "a_b\nK=v\n3\n  ind\n  ind\n  ind\na]b\na\\b\na-b\n"},
	{"grep -o, -l, -m, -h", `printf 'a1b22\nc3\n' > f; echo x > g; grep -o '[0-9]\+' f; grep -l a f g; grep -L a f g; grep -m 1 . f; grep -h x g g; grep -on 3 f; grep -c x g f; grep -r x .`, "1\n22\n3\nf\ng\na1b22\nx\nx\n2:3\ng:1\nf:0\n./g:x\n"},
	{"grep and an empty pattern", `printf 'a\n\nb\n' > f; grep -c '' f; grep -v '^$' f; grep -c ^ f; printf '' | grep -q '' ; echo $?; printf 'a\nb' | grep b; grep -f f g 2>/dev/null; echo $?`, "3\na\nb\n3\n1\nb\n2\n"},

	{"sed s", `echo 'a b a' | sed s/a/x/; echo 'a b a' | sed s/a/x/g; echo 'a b a' | sed s/a/x/2; echo aaa | sed 's/a/[&]/2g'; echo a/b | sed 's:/:-:'; echo a/b | sed 's/\//-/'; echo abc | sed 's/\(a\)\(b\)/\2\1/'; echo abc | sed -E 's/(a)(b)/\2\1/'; echo ABC | sed s/b/x/I; echo a.b | sed 's/./x/3'`, "x b a\nx b x\na b x\na[a][a]\na-b\na-b\nbac\nbac\nAxC\na.x\n"},
	{"sed s and empty matches", `echo abc | sed 's/x*/-/g'; echo baaac | sed 's/a*/x/g'; echo baaac | sed 's/a*/x/2'; echo abc | sed 's/b*//2'; echo hello | sed 's/$/!/; s/^/>/'`, "-a-b-c-\nxbxcx\nbxc\nac\n>hello!\n"},
	{"sed -n and p", `printf '1\n2\n3\n' | sed -n 2p; printf '1\n2\n3\n' | sed -n '2,$p'; printf '1\n2\n3\n' | sed -n '/2/!p'; printf 'a\nb\n' | sed -n 's/a/x/p'; printf 'a\n' | sed p; printf '1\n2\n3\n4\n' | sed -n '$!{p}' | tail -n 1; printf 'a=1\nb=2\n' | sed -ne 's/^b=//p'`, "2\n2\n3\n1\n3\nx\na\na\n3\n2\n"},
	{"sed addresses", `seq 1 10 | sed -n '2,4p;/7/,/9/p'; seq 1 10 | sed '3,$d'; seq 1 10 | sed -n '0~5p'; seq 1 10 | sed -n '/4/,+1p'; seq 1 10 | sed -n '/5/,2p'; seq 1 5 | sed '/2/,/4/d'; seq 1 3 | sed '1!d'; seq 1 6 | sed -n '1~2p'; printf 'a\nb\na\n' | sed -n '0,/a/p;1,/a/p'`, "2\n3\n4\n7\n8\n9\n1\n2\n5\n10\n4\n5\n5\n1\n5\n1\n1\n3\n5\na\na\nb\na\n"},
	{"sed a, i and c", `echo x | sed 'a\
after'; echo x | sed 'i before'; echo x | sed 'c\changed'; printf '1\n2\n' | sed '1a two words\
and more'; echo x | sed '$ a end'; printf '1\n2\n3\n' | sed '1,2c new'; echo x | sed -e 'a\' -e '  kept'; echo x | sed 'a\  kept'`, "x\nafter\nbefore\nx\nchanged\n1\ntwo words\nand more\n2\nx\nend\nnew\n3\nx\n  kept\nx\n  kept\n"},
	{"sed blocks", `printf 'a\nb\nc\n' | sed -n '/b/{s/b/x/;p;}'; printf 'a\nb\n' | sed '/a/{
s/a/y/
q
}'; printf 'a\nb\n' | sed '/b/!{s/$/./}'; printf '1\n2\n' | sed '2{/2/{s//two/}}'`, "x\ny\na.\nb\n1\ntwo\n"},
	{"sed y, =, q, Q", `echo abc | sed y/abc/xyz/; printf 'a\nb\n' | sed -n '$='; printf 'a\nb\n' | sed q; printf 'a\nb\n' | sed 1Q; printf 'a\nb\n' | sed '1q5'; echo $?; echo 'a/b' | sed 'y,/,-,'`, "xyz\n2\na\na\n5\na-b\n"},
	{"sed n, N, D, P", `seq 1 4 | sed -n 'n;p'; seq 1 4 | sed 'N;s/\n/-/'; seq 1 3 | sed 'N;s/\n/-/'; seq 1 3 | sed '$!N;P;D'; printf 'a \\\nb\nc\n' | sed -e :a -e '/\\$/N; s/\\\n//; ta'; seq 1 3 | sed ':a;N;$!ba;s/\n/,/g'`, "2\n4\n1-2\n3-4\n1-2\n3\n1\n2\n3\na b\nc\n1,2,3\n"},
	{"sed hold space", `seq 1 3 | sed -n '1!G;h;$p'; printf 'a\nb\n' | sed x; printf 'a\nb\n' | sed G; printf 'a\nb\n' | sed -n 'H;${x;s/\n/,/g;p}'`, "3\n2\n1\n\na\na\n\nb\n\n,a,b\n"},
	{"sed branches", `echo 'a:b:c' | sed -r -e ':a s/^([^:]*):/\1=/; ta' -e ':b s/=/-/;tb'; printf 'aaa\n' | sed ':x; s/a/b/; tx'; printf 'a\nb\n' | sed '/a/b; s/^/-/'; printf 'a\nb\n' | sed '/a/bend; s/^/-/; :end'; printf 'a\nb\n' | sed 's/a/x/;T;s/$/!/'`, "a-b-c\nbbb\na\n-b\na\n-b\nx!\nb\n"},
	{"sed -i", `printf 'a\nb\n' > f; chmod 600 f; sed -i s/a/x/ f; cat f; stat -c %a f; sed -i.bak 1d f; cat f f.bak; sed -i -e '$d' f; cat f; sed -i s/a/b/ none 2>/dev/null; echo $?; printf 'q\n' > g; printf 'q\n' > h; sed -i 's/q/r/' g h; cat g h; sed -ni p g; cat g; sed -e s/r/s/ -i g; cat g`, "x\nb\n600\nb\nx\nb\n2\nr\nr\nr\ns\n"},
	{"sed with several scripts", `echo a | sed -e s/a/b/ -e s/b/c/; echo 's/a/z/' > s; echo a | sed -f s; echo a | sed --expression=s/a/q/; echo a | sed -n -e 's/a/b/' -e p; printf '#n\np\n' > t; echo a | sed -f t`, "c\nz\nq\nb\na\n"},
	{"sed and missing newlines", `printf a | sed s/a/b/; echo; printf 'a\nb' | sed -n '$p'; echo; printf 'a' | sed 'p'; echo`, "b\nb\na\na\n"},
	{"sed files", `echo 1 > f; echo 2 > g; sed '' f g; sed -n '$p' f g; sed p none 2>/dev/null; echo $?; echo x | sed 'r f'; echo x | sed 'r none'`, "1\n2\n2\n2\nx\n1\nx\n"},
	{"sed replacements", `echo abc | sed 's/b/\n/'; echo a | sed 's/a/\&/'; echo a | sed 's/a/x\
y/'; echo 'ab cd' | sed 's/\w\+/\u&/g'; echo abc | sed 's/.*/\U&/'; echo a | sed 's/a/\//'; echo 'a|b' | sed 's|a\|b|x|'`, "a\nc\n&\nx\ny\nAb Cd\nABC\n/\nx\n"},
	{"sed of configurations", `printf '#Port 22\nUser a\n' > c; sed -e 's/^#*[[:space:]]*Port.*/Port 2222/' -e '/^User[[:space:]]/s/a$/b/' c; sed -n 's/^\([A-Z][a-z]*\)[ \t].*/\1/p' c; printf 'k = "v"\n' | sed -e 's/^[^=]*=[[:space:]]*//' -e 's/^"\(.*\)"$/\1/'; printf '; priority=20\n' | sed -ne 's/^;[[:space:]]*priority[[:space:]]*=[[:space:]]*\([0-9]\+\)[[:space:]]*$/\1/p; /^[0-9]\+$/q'`, "Port 2222\nUser b\nUser\nv\n20\n"},
	{"sed and escapes within brackets", `printf 'a\tt b\n' | sed -E 's/[ \t]+/_/g'; printf 'a\nb\n' | sed 'N;s/[\n]/-/'; printf 'a\\tb\n' | grep -c '[\t]'; printf 'x\ty\n' | sed 's/\t/T/'; printf '%s\n' 'a\b' | sed 's/[\/]/-/'; printf '%s\n' 'a.b[c' | sed 's/[].[]/-/g'`, "a_t_b\na-b\n1\nxTy\na-b\na-b-c\n"},
	{"sed and codes", `echo "a'b" | sed 's/\x27/\x26/; s/b/\x41/'`, "a&A\n"},
	{"carriage returns", `printf 'a\r\nb\n' | sed 's/\r$/./'; printf 'a\r\n' | awk '{ sub(/\r$/, "!"); print }'; echo x | sed 's/x/\r/' | wc -c | tr -d ' '`, "a.\nb\na!\n2\n"},
	{"sed with alternatives and intervals", `echo aab | sed 's/a\{2\}/x/'; echo foobar | sed 's/foo\|bar/x/g'; echo foobar | sed -r 's/(foo|bar)+/<&>/'; echo ab | sed 's/a\?b/x/'; echo 'x*y' | sed 's/*/-/'; echo 'a^b$c' | sed 's/a^b$c/y/'; echo a.b | sed 's/[.]/-/'`, "xb\nxx\n<foobar>\nx\nx-y\ny\na-b\n"},
	{"longest match", `echo abcd | sed -E 's/ab|abcd/x/'; echo foobar | grep -oE 'foo|foobar'; echo xyz | sed 's/x*y*/-/'; echo 'a "b" "c"' | sed 's/".*"/Q/'`, "x\nfoobar\n-z\na Q\n"},

	{"find", `mkdir -p d/e; touch d/a.txt d/e/b.txt d/e/c; ln -s a.txt d/l; find d | sort; find d -type f -name '*.txt' | sort; find d -maxdepth 1 -type l; find d -mindepth 2 -not -name '*.txt'; find d -name a.txt -o -name c | sort; find d/e ! -type d -print | sort; find none 2>/dev/null; echo $?`, "d\nd/a.txt\nd/e\nd/e/b.txt\nd/e/c\nd/l\nd/a.txt\nd/e/b.txt\nd/l\nd/e/c\nd/a.txt\nd/e/c\nd/e/b.txt\nd/e/c\n1\n"},
	{"find does", `mkdir -p d/e d/x; touch d/a d/e/b; find d -type f -exec echo '<{}>' \; | sort; find d -type f -print0 | tr '\0' '\n' | sort; find d -type d -empty -delete; ls d; find d -name b -delete; ls d/e; find d -exec false {} \; ; echo $?; find d -type d -exec chmod 700 {} +; stat -c %a d/e`, "<d/a>\n<d/e/b>\nd/a\nd/e/b\na\ne\n0\n700\n"},
	{"find of modes", `mkdir d; touch d/a d/b; chmod 755 d/a; chmod 644 d/b; find d -type f -perm 755; find d -type f -perm -111; find d -type f -perm /u=x; find d -perm -4000; find d -type f \( -name a -o -name b \) -print | sort; find d -name e -prune -o -type f -print | sort; find d -path 'd/a'; find d -type f -printf '%f %m %p\n' | sort`, "d/a\nd/a\nd/a\nd/a\nd/b\nd/a\nd/b\nd/a\na 755 d/a\nb 644 d/b\n"},
	{"find -regex", `mkdir d; touch d/a1 d/ab d/b22; find d -regextype posix-egrep -regex '.*/[ab][0-9]+$' | sort; find d -regex 'd/a.'| sort; find d -iname 'A*' | sort; find d -type f -size 0 | wc -l`, "d/a1\nd/b22\nd/a1\nd/ab\nd/a1\nd/ab\n3\n"},
	{"getopt", `getopt -o ab: -l long,val: -n x -- -b 1 y --long -a --val=2 z --val 3 -- -q; getopt -o h -- -x 2>/dev/null; echo $?; eval set -- "$(getopt -o c: -- "it's" -c 'a b')"; echo "$# $2 $4"; getopt -o a -- -aa; getopt -T; echo $?; getopt -l check,out: -- +o:v -v --out x a -v`, " -b '1' --long -a --val '2' --val '3' -- 'y' 'z' '-q'\n --\n1\n4 a b it's\n -a -a --\n4\n -v --out 'x' -- 'a' '-v'\n"},
	{"find -depth and -newer", `mkdir -p d/e; touch d/e/f; find d -depth; cd d; find . -name f; find -name f; find e/ -name f`, "d/e/f\nd/e\nd\n./e/f\n./e/f\ne/f\n"},
	{"find follows with -L", `mkdir -p d t; touch t/f; ln -s ../t d/l; find d -type f; find -L d -type f; find d -follow -type f; find d/l -type l; find d/l/ -name f; find d -xtype d | sort`, "d/l/f\nd/l/f\nd/l\nd/l/f\nd\nd/l\n"},
}

func TestCommands(t *testing.T)            { interpreted(t, commandRules) }
func TestCommandsAgainstHost(t *testing.T) { byDash(t, commandRules) }

// awkRules are those of awk, which the host may have as mawk or gawk.
var awkRules = []rule{
	{"awk patterns", `printf 'a 1\nb 2\nc 3\n' > f; awk '/b/' f; awk '$2 > 2' f; awk '/a/,/b/' f; awk 'NR==2{print $1}' f; awk '!/a/ && $1 != "c"' f; awk '{print $2}' f | head -n 1; awk 'END{print NR}' f`, "b 2\nc 3\na 1\nb 2\nb\nb 2\n1\n3\n"},
	{"awk fields", `echo 'a:b::d' | awk -F: '{print $2, $4, NF, "<" $3 ">"}'; echo '  a   b ' | awk '{print $1 "-" $2, NF; $2 = "x"; print}'; echo 'a, b,c' | awk -F', *' '{print $2 $3}'; echo 'a b' | awk '{$4 = "d"; print; print NF}'; echo 'a b c' | awk '{print $NF, $(NF-1)}'; echo 'a b c' | awk '{NF = 2; print}'; printf 'a\tb c\n' | awk -F'\t' '{print $2}'`, "b d 4 <>\na-b 2\na x\nbc\na b  d\n4\nc b\na b\nb c\n"},
	{"awk BEGIN and variables", `awk 'BEGIN { x = 3; y = x * 2 + 1; print y, y % 4, 7 / 2, 2 ^ 3, -x; print x "" y; exit 4 }'; echo $?; awk -v n=5 'BEGIN { print n + 1 }'; awk 'BEGIN { OFS = "-"; print 1, 2; printf "%s %d\n", "a", 3.9 }'; awk 'BEGIN { print length("abc"), substr("hello", 2, 3), index("abc", "c"), toupper("a"), tolower("B"), int(3.7) }'`, "7 3 3.5 8 -3\n37\n4\n6\n1-2\na 3\n3 ell 3 A b 3\n"},
	{"awk control", `seq 5 | awk '{ if ($1 % 2) s += $1; else t += $1 } END { print s, t }'; awk 'BEGIN { for (i = 0; i < 3; i++) { if (i == 1) continue; print i }; while (j < 2) j++; print j }'; seq 3 | awk '$1 == 2 { next } { print }'; seq 9 | awk '{ print; if (NR == 2) exit }'; awk 'BEGIN { x = 1; if (x) { print "y" }
else print "n" }'; awk 'BEGIN { for (;;) { if (++n > 3) break }; print n; print (n > 2 ? "big" : "small") }'`, "9 6\n0\n2\n2\n1\n3\n1\n2\ny\n4\nbig\n"},
	{"awk arrays", `printf 'a\nb\na\n' | awk '{ c[$1]++ } END { print c["a"], c["b"]; for (k in c) n++; print n; if ("a" in c) print "in"; delete c["a"]; if (!("a" in c)) print "out" }'; awk 'BEGIN { n = split("x:y:z", a, ":"); print n, a[1], a[3]; a[1, 2] = 5; print a[1, 2] }'; printf 'b\na\nb\n' | awk '!seen[$0]++'`, "2 1\n2\nin\nout\n3 x z\n5\nb\na\n"},
	{"awk sub, gsub and match", `echo 'LANG="de"' | awk '/^LANG=/ {gsub("\"", ""); sub("LANG=", ""); lang=$0;} END {print lang}'; echo aaa | awk '{ n = gsub(/a/, "[&]"); print n, $0 }'; echo 'a b' | awk '{ sub(/b/, "\\&", $2); print }'; awk 'BEGIN { if (match("foobar", /o+/)) print RSTART, RLENGTH; print "abc" ~ /^a.c$/, "abc" ~ "x" }'; echo 'p/q' | awk '{ sub(/\//, "-"); print }'`, "de\n3 [a][a][a]\na &\n2 2\n1 0\np-q\n"},
	{"awk compares", `printf '10\n9\n' | awk '$1 > 9'; awk 'BEGIN { print ("10" < "9"), (10 < 9), ("a" < "b") }'; echo '1.0 1' | awk '{ print ($1 == $2) }'; echo 'x' | awk '{ print ($2 == "") }'; awk 'BEGIN { print 1==1, !0, !"", 1 && 0, 0 || 2 }'`, "10\n1 0 1\n1\n1\n1 1 1 0 1\n"},
	{"awk escapes", `awk 'BEGIN { print "\x27a\x27", "b\tc", "\101\"\\" }'; x=v awk 'BEGIN { print ENVIRON["x"] }'; echo 'a.b' | awk '{ n = split($0, p, "."); print n, p[2]; print /a\.b/, "axb" ~ "a\\.b" }'`, "'a' b\tc A\"\\\nv\n2 b\n1 0\n"},
	{"awk over a status file", `printf 'Package: a\nStatus: install ok installed\nDepends: x, erlang-base\n\nPackage: b\nStatus: deinstall ok config-files\nDepends: erlang\n' | awk '{if ($1 ~ /^Package:/) {package=$2;inst=0} else if ($0 ~ /^Status:.* installed$/) {inst=1} else if ((inst==1) && ($0 ~ /^Depends:.* erlang/)) {print package}}'; printf '15 a\n17 b\n' | awk '/^17 / { print $2 }'; printf 'a b\nc\n\nd\n' | awk 'BEGIN { RS = "" } { print NR ": " $1 }'`, "a\nb\n1: a\n2: d\n"},
}

func TestAwk(t *testing.T)            { interpreted(t, awkRules) }
func TestAwkAgainstHost(t *testing.T) { byDash(t, awkRules) }
