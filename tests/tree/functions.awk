# functions.awk - reads facts (facts.awk) and complains of names that two functions have, one of them static, and of
# functions over `most` lines. exempt: folders with names that are doubled; one without any fails. Exit status 1 where it
# found something.

function complain(text) {
	print text
	bad = 1
}

function folder_of(path) {
	sub(/\/[^\/]*$/, "", path)
	return path
}

$1 == "broken" { complain($2 ":" $3 ": its braces do not match: this check cannot read it") }

$1 == "define" && $5 ~ /function$/ {
	functions++
	if ($4 > most) complain($2 ":" $3 ": " $6 "() has " $4 " lines, at most " most)
	if (!($6 in places)) names[++name_count] = $6
	places[$6] = places[$6] " " $2 ":" $3
	number[$6]++
	if ($5 == "static-function") has_static[$6] = 1
}

END {
	exempt_count = split(exempt, folders, " ")
	for (i = 1; i <= exempt_count; i++) is_exempt[folders[i]] = 1
	for (i = 1; i <= name_count; i++) {
		if (number[names[i]] == 1 || !has_static[names[i]]) continue
		split(places[names[i]], list, " ")
		held = 0
		for (j = 1; j <= number[names[i]]; j++) {
			is_doubled[folder_of(list[j])] = 1
			held += !(folder_of(list[j]) in is_exempt)
		}
		if (held > 1) complain(names[i] "() is the name of several functions:" places[names[i]])
	}
	for (i = 1; i <= exempt_count; i++)
		if (!(folders[i] in is_doubled)) complain(folders[i] " has no doubled names any more: take it out of the list")
	print functions + 0 " functions checked"
	if (!functions) complain("no function was looked at: the check is broken")
	exit bad
}
