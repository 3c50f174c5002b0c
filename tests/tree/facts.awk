# facts.awk - reads C (laid out by clang-format) and prints what it defines and uses, a fact a line:
#
#   include FILE LINE TARGET             #include "TARGET"
#   define  FILE LINE LINES KIND NAME    what stands at file level; KIND: function, object, static-function, static-object
#   use     FILE LINE WHERE NAME         the first use of a global NAME in a file; WHERE: the function around it, or file
#   broken  FILE LINE                    braces that do not match: nothing that is said of the file can be trusted
#
# A declaration is no use. Macros are read like functions: what one names, its file uses. A name that is static in a file
# is never taken for the global one of another file. A file FILE.c and its header FILE.h are one place: see circles.awk.

# Takes comments away and empties strings; `inside` says whether a comment goes on from the line before.
function strip(line,    out, mark, rest) {
	if (inside) {
		if (!match(line, /\*\//)) return ""
		line = substr(line, RSTART + 2)
		inside = 0
	}
	if (line !~ /["'\/]/) return line
	out = ""
	while (match(line, /["']|\/\*|\/\//)) {
		out = out substr(line, 1, RSTART - 1) " "
		mark = substr(line, RSTART, RLENGTH)
		rest = substr(line, RSTART + RLENGTH)
		if (mark == "//") return out
		if (mark == "/*") {
			if (!match(rest, /\*\//)) { inside = 1; return out }
			line = substr(rest, RSTART + 2)
		} else {
			if (mark == "\"" ? !match(rest, /^([^"\\]|\\.)*"/) : !match(rest, /^([^'\\]|\\.)*'/)) return out
			line = substr(rest, RLENGTH + 1)
			out = out "\"\""
		}
	}
	return out line
}

function remember(text) {
	if (text !~ /[A-Za-z_]/) return
	uses++
	use_file[uses] = FILENAME
	use_line[uses] = FNR
	use_where[uses] = name != "" ? name : "file"
	use_text[uses] = text
}

function define(kind, what, first) {
	defines++
	define_fact[defines] = "define " FILENAME " " first " " (FNR - first + 1) " " kind " " what
	if (kind ~ /^static/) own[FILENAME, what] = 1
	else known[what] = 1
}

# The function whose head this is, or ""; attributes are no part of it.
function function_of(head) {
	gsub(/(BRINE_[A-Z]+|__attribute__) *\([^()]*(\([^()]*\)[^()]*)*\)/, " ", head)
	gsub(/BRINE_(API|BEGIN|END)/, " ", head)
	if (head ~ /=/ || head !~ /[A-Za-z_0-9] *\(/) return ""
	sub(/ *\(.*/, "", head)
	sub(/.*[^A-Za-z_0-9]/, "", head)
	return head
}

# The object that a declaration at file level defines, or "".
function object_of(head,    type) {
	sub(/=.*/, "", head)
	gsub(/BRINE_(API|BEGIN|END)/, " ", head)
	gsub(/\[[^]]*\]/, "", head)
	if (head ~ /(^|[^A-Za-z_0-9])(extern|typedef)([^A-Za-z_0-9]|$)/ || head ~ /\(/) return ""
	gsub(/[{}]/, " ", head)
	sub(/[ \t]+$/, "", head)
	type = head
	sub(/[A-Za-z_0-9]+$/, "", type)
	gsub(/(struct|union|enum)/, "", type)
	if (type !~ /[A-Za-z_0-9}]/) return "" # struct x; alone
	sub(/.*[^A-Za-z_0-9]/, "", head)
	return head
}

function kind_of(head, kind) { return (head ~ /(^|[^A-Za-z_0-9])static([^A-Za-z_0-9]|$)/ ? "static-" : "") kind }

# At file level, text up to a brace or semicolon was added to head, which this ends.
function end_declaration(    what) {
	if (function_of(head) == "") {
		what = object_of(head)
		if (what != "") define(kind_of(head, "object"), what, head_line)
		if (head ~ /=/) remember(substr(head, index(head, "=")))
	}
	head = ""
}

function open_brace(text,    what) {
	if (depth == 0) {
		head = head " " text
		what = function_of(head)
		if (what != "") {
			name = what
			name_kind = kind_of(head, "function")
			name_line = head_line
			head = ""
		}
	} else {
		remember(text)
	}
	depth++
}

function close_brace(text) {
	remember(text)
	depth--
	if (depth < 0) { print "broken " FILENAME " " FNR; depth = 0 }
	if (depth == 0 && name != "") {
		define(name_kind, name, name_line)
		name = ""
	}
}

function read_code(line,    text, mark) {
	while (match(line, /[{};]/)) {
		text = substr(line, 1, RSTART - 1)
		mark = substr(line, RSTART, 1)
		line = substr(line, RSTART + 1)
		if (depth == 0 && head ~ /^[ \t]*$/ && text ~ /[^ \t]/) head_line = FNR
		if (mark == "{") open_brace(text)
		else if (mark == "}") close_brace(text)
		else if (depth == 0) { head = head " " text; end_declaration() }
		else remember(text)
	}
	if (depth == 0) {
		if (head ~ /^[ \t]*$/ && line ~ /[^ \t]/) head_line = FNR
		head = head " " line
	} else {
		remember(line)
	}
}

FNR == 1 {
	if (files && depth) print "broken " file " end"
	files++
	file = FILENAME
	depth = inside = in_macro = 0
	head = name = ""
}

/^#include "/ && !inside {
	match($0, /"[^"]*"/)
	print "include " FILENAME " " FNR " " substr($0, RSTART + 1, RLENGTH - 2)
	next
}

{
	line = strip($0)
	directive = !in_macro && line ~ /^[ \t]*#/
	if (in_macro || directive) {
		if (directive) defining = line ~ /^[ \t]*# *define /
		in_macro = line ~ /\\$/
		if (defining) {
			if (directive) sub(/^[ \t]*# *define +[A-Za-z_0-9]+(\([^)]*\))?/, "", line)
			sub(/\\$/, "", line)
			remember(line)
		}
		next
	}
	read_code(line)
}

END {
	if (depth) print "broken " file " end"
	for (i = 1; i <= defines; i++) print define_fact[i]
	for (i = 1; i <= uses; i++) {
		text = use_text[i]
		gsub(/(->|\.)[ \t]*[A-Za-z_][A-Za-z_0-9]*/, " ", text) # members
		gsub(/(struct|union|enum|goto)[ \t]+[A-Za-z_][A-Za-z_0-9]*/, " ", text)
		count = split(text, words, /[^A-Za-z_0-9]+/)
		for (j = 1; j <= count; j++) {
			word = words[j]
			if (!(word in known) || (use_file[i], word) in own || (use_file[i], word) in told) continue
			told[use_file[i], word] = 1
			print "use " use_file[i] " " use_line[i] " " use_where[i] " " word
		}
	}
}
