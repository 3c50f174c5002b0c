# circles.awk - reads the facts of src (facts.awk) and complains of every arrow that points the wrong way: of circles
# between the files of one folder, and of uses of what a later folder defines. Exit status 1 where it found any.
#
#   allowed   "base: base; codec: base codec; ...": the folders that each folder may use
#   exempt    folders that have circles still; one that has none fails, too, so that the list only shrinks
#
# FILE.c and FILE.h are one place. A place depends on another where it includes its header or uses something that it
# defines, in whatever header that is declared. Places are looked at in the order of the facts, so that the same tree
# gives the same words.

BEGIN {
	count = split(allowed, rows, / *; */)
	for (i = 1; i <= count; i++) {
		split(rows[i], row, / *: */)
		words = split(row[2], folders, " ")
		for (j = 1; j <= words; j++) may[row[1], folders[j]] = 1
	}
	count = split(exempt, folders, " ")
	for (i = 1; i <= count; i++) is_exempt[folders[i]] = 1
}

function complain(text) {
	print text
	bad = 1
}

# "src/codec/token.h" and "codec/token.h" are "codec/token".
function place_of(path) {
	sub(/^.*src\//, "", path)
	sub(/\.[ch]$/, "", path)
	if (!(path in seen)) {
		seen[path] = 1
		places[++place_count] = path
	}
	return path
}

function folder_of(place) {
	sub(/\/.*/, "", place)
	return place
}

function arrow(from, to, why) {
	if (from == to || folder_of(from) != folder_of(to) || (from, to) in reason) return
	reason[from, to] = why
	targets[from] = targets[from] " " to
}

$1 == "broken" { complain($2 ":" $3 ": its braces do not match: this check cannot read it") }
$1 == "include" { arrow(place_of($2), place_of($4), $2 ":" $3 " includes " $4) }
$1 == "define" {
	place_of($2)
	if ($5 !~ /^static/) homes[$6] = homes[$6] " " place_of($2)
}
$1 == "use" { use_facts[++use_count] = $0 }

# The one place that defines the name for a use in that folder: its own folder first. "" where it cannot be told.
function definer(name, folder,    list, number, found, i) {
	number = split(homes[name], list, " ")
	if (number == 1) return list[1]
	found = ""
	for (i = 1; i <= number; i++)
		if (folder_of(list[i]) == folder) found = list[i]
	return found
}

function read_use(fact,    word, from, to) {
	split(fact, word, " ")
	from = place_of(word[2])
	to = definer(word[5], folder_of(from))
	if (to == "") return
	arrow(from, to, word[2] ":" word[3] " " (word[4] == "file" ? "" : word[4] "() ") "uses " word[5])
	if (!((folder_of(from), folder_of(to)) in may))
		complain(word[2] ":" word[3] ": " folder_of(from) " may not use " word[5] ", which " folder_of(to) " defines")
}

# The shortest way from a place back to itself: how[] says from where each place was reached.
function find_circle(start,    queue, first, last, here, list, number, i) {
	split("", how)
	queue[first = last = 1] = start
	while (first <= last) {
		here = queue[first++]
		number = split(targets[here], list, " ")
		for (i = 1; i <= number; i++) {
			if (list[i] in how) continue
			how[list[i]] = here
			if (list[i] == start) return 1
			queue[++last] = list[i]
		}
	}
	return 0
}

function print_circle(start,    names, steps, here, way, i) {
	steps = 0
	here = start
	do {
		way[++steps] = how[here] SUBSEP here
		names = " -> " here names
		here = how[here]
	} while (here != start)
	complain("src/" folder_of(start) ": a circle: " start names)
	for (i = steps; i >= 1; i--) {
		split(way[i], names_of, SUBSEP)
		print "    " names_of[1] " -> " names_of[2] ": " reason[names_of[1], names_of[2]]
	}
}

END {
	for (i = 1; i <= use_count; i++) read_use(use_facts[i])
	for (i = 1; i <= place_count; i++) {
		folder = folder_of(places[i])
		if (places[i] in shown || !find_circle(places[i])) continue
		has_circle[folder] = 1
		if (folder in is_exempt) continue
		print_circle(places[i])
		here = places[i]
		do { shown[here] = 1; here = how[here] } while (here != places[i])
	}
	count = split(exempt, folders, " ")
	for (i = 1; i <= count; i++)
		if (!(folders[i] in has_circle)) complain("src/" folders[i] " has no circle any more: take it out of the list")
	printf "%d arrows between %d files checked\n", arrow_count(), place_count
	if (place_count == 0) complain("no file was looked at: the check is broken")
	exit bad
}

function arrow_count(    key, number) {
	for (key in reason) number++
	return number + 0
}
