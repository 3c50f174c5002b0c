/* Which of the mistakes in conn/plant.h this run has: the environment variable BRINE_PLANT names it, nothing: none. */
#include "conn/plant.h"

#include "sim.h"

#define NAME(name) #name,
static const char *const names[] = {"NONE", PLANT_MAP(NAME)};
enum { COUNT = sizeof names / sizeof names[0] };

enum plant plant_chosen;

void plant_list(void)
{
	for (unsigned i = 1; i < COUNT; i++)
		puts(names[i]);
}

bool plant_choose(const char *name)
{
	if (!name)
		return true;
	for (unsigned i = 0; i < COUNT; i++) {
		plant_chosen = (enum plant)i;
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	printf("no such plant: %s\n", name);
	return false;
}
