#include "inspect/time_text.h"

#include "codec/desc.h"

#include <time.h>

/* What is left to read. */
struct text {
	const char *at;
	size_t size;
};

/* Takes exactly count digits. */
static bool take_digits(struct text *text, unsigned count, int *ret_number)
{
	int number = 0;
	if (text->size < count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (text->at[i] < '0' || text->at[i] > '9')
			return false;
		number = number * 10 + (text->at[i] - '0');
	}
	*ret_number = number;
	*text = (struct text){text->at + count, text->size - count};
	return true;
}

static bool take_character(struct text *text, const char *any_of)
{
	if (text->size == 0 || !memchr(any_of, text->at[0], strlen(any_of)))
		return false;
	*text = (struct text){text->at + 1, text->size - 1};
	return true;
}

/* Date and time of day, as if in UTC. */
static bool take_civil(struct text *text, int64_t *ret_seconds)
{
	struct tm civil = {0}, same;
	bool read = take_digits(text, 4, &civil.tm_year) && take_character(text, "-") &&
	            take_digits(text, 2, &civil.tm_mon) && take_character(text, "-") &&
	            take_digits(text, 2, &civil.tm_mday) && take_character(text, "Tt") &&
	            take_digits(text, 2, &civil.tm_hour) && take_character(text, ":") &&
	            take_digits(text, 2, &civil.tm_min) && take_character(text, ":") &&
	            take_digits(text, 2, &civil.tm_sec);
	if (!read)
		return false;
	civil.tm_year -= 1900;
	civil.tm_mon -= 1;
	same = civil;
	*ret_seconds = timegm(&same);
	/* What never was, as the 30th of February, comes back as something else. */
	return same.tm_year == civil.tm_year && same.tm_mon == civil.tm_mon && same.tm_mday == civil.tm_mday &&
	       same.tm_hour == civil.tm_hour && same.tm_min == civil.tm_min && same.tm_sec == civil.tm_sec;
}

static bool take_fraction(struct text *text, int32_t *ret_nanos)
{
	int32_t nanos = 0, unit = 100000000;
	int digit;
	if (!take_character(text, "."))
		return true;
	if (text->size == 0 || text->at[0] < '0' || text->at[0] > '9')
		return false;
	for (; unit && take_digits(text, 1, &digit); unit /= 10)
		nanos += digit * unit;
	*ret_nanos = nanos;
	return true;
}

static bool take_offset(struct text *text, int64_t *ret_seconds)
{
	int hours, minutes;
	if (take_character(text, "Zz"))
		return true;
	bool behind = text->size && text->at[0] == '-';
	if (!take_character(text, "+-") || !take_digits(text, 2, &hours) || !take_character(text, ":") ||
	    !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = (hours * 60 + minutes) * (behind ? -60 : 60);
	return true;
}

bool inspect_time_read(const char *text, size_t size, struct brine_timestamp *ret_time)
{
	struct text rest = {text, size};
	struct brine_timestamp time = {0, 0};
	int64_t offset = 0;
	if (!take_civil(&rest, &time.seconds) || !take_fraction(&rest, &time.nanos) || !take_offset(&rest, &offset) ||
	    rest.size)
		return false;
	time.seconds -= offset;
	*ret_time = time;
	return brine_timestamp_valid(time);
}
