#include "compiler/emit.h"

static struct source_place place_of(const struct schema_decl *decl)
{
	return source_find(decl->file->info, decl->path, decl->path_count, SCHEMA_WHOLE);
}

void emit_comment_above(struct text *text, unsigned indent, const struct schema_decl *decl)
{
	struct source_place place = place_of(decl);
	text_comment(text, indent, place.leading);
	if (!text_fits_line(place.trailing))
		text_comment(text, indent, place.trailing);
}

void emit_end_line(struct text *text, const char *note, const struct schema_decl *decl)
{
	text_end_line(text, note, place_of(decl).trailing);
}

void emit_comment(struct text *text, const struct schema_decl *decl)
{
	text_comment(text, 0, place_of(decl).leading);
	text_comment(text, 0, place_of(decl).trailing);
}
