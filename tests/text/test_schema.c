/* Proves: the tables of the library say what proto/brine/text.proto says; a program that uses the generated code talks
 * to one that uses streams. */
#include "both.h"

#include "brine/text.brine.h"

#include <brine/codec.h>

extern const struct brine_type brine_wire_source_type, brine_wire_piece_type, brine_wire_receipt_type;

static void expect_same(const struct brine_type *mine, const struct brine_type *made)
{
	assert_int_equal(brine_type_check(mine, NULL), 0);
	assert_string_equal(mine->name, made->name);
	assert_int_equal(mine->layout, made->layout);
	assert_int_equal(mine->field_count, made->field_count);
	for (uint32_t i = 0; i < mine->field_count; i++) {
		const struct brine_field *a = &mine->fields[i], *b = &made->fields[i];
		assert_string_equal(a->name, b->name);
		assert_int_equal(a->number, b->number);
		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->shape, b->shape);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->limit, b->limit);
		if (a->kind == BRINE_KIND_MESSAGE)
			expect_same(a->type, b->type);
	}
}

static void types_are_the_same(void **state)
{
	(void)state;
	expect_same(&brine_wire_piece_type, &text_piece_type);
	expect_same(&brine_wire_source_type, &text_source_type);
	expect_same(&brine_wire_receipt_type, &text_receipt_type);
}

/* Receives in another thread than the one that waits for the receipt. */
static void *receive_typed(struct helper *helper)
{
	struct brine_text_piece piece;
	struct brine_text *text;
	helper->status = brine_text_accept(helper->both->listener, &text, PATIENCE_MS, NULL);
	while (helper->status >= 0 && (helper->status = brine_text_receive(text, &piece)) > 0)
		helper->size += piece.data.size;
	helper->number = brine_text_ending(text)->status;
	brine_text_close(text);
	return NULL;
}

static void a_typed_program_writes(void **state)
{
	struct both both;
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	struct text_receipt receipt;
	both_start(&both, state);
	struct helper reader = {.run = receive_typed, .both = &both};
	helper_begin(&reader);
	assert_int_equal(brine_client_open(&client, both.address, NULL, NULL), 0);
	assert_int_equal(text_write_open(client, &call), 0);
	struct text_piece piece = {.which_content = TEXT_PIECE_TEXT, .content.text = BRINE_STR("spam\n")};
	assert_int_equal(text_write_send(&call, &piece), 0);
	struct text_end end = {.status = 3};
	piece = (struct text_piece){.sequence = 1, .which_content = TEXT_PIECE_END, .content.end = &end};
	assert_int_equal(text_write_send(&call, &piece), 0);
	assert_int_equal(text_write_close(&call, &receipt), 0);
	assert_int_equal(receipt.pieces, 2);
	assert_int_equal(receipt.size, 5);
	helper_end(&reader);
	assert_int_equal(reader.status, 0);
	assert_int_equal(reader.size, 5);
	assert_int_equal(reader.number, 3);
	brine_call_done(&call);
	brine_client_free(client);
	both_stop(&both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(types_are_the_same), e2e_test(a_typed_program_writes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
