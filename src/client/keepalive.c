/* A peer that is silent while calls run is asked for a sign of life, and given up without one. */
#include "client/client.h"

#include "base/later.h"

#include <errno.h>

uint64_t brine_client_keepalive_due(const struct brine_client *client, const struct brine_client_channel *node)
{
	uint64_t interval_ms = client->options.keepalive_ms;
	/* Nothing is heard of a peer that is not read from. */
	if (interval_ms == 0 || node->calls == 0 || node->backlog || brine_client_is_full(client) ||
	    brine_conn_wire(node->transport.conn) != BRINE_WIRE_FRAMED)
		return BRINE_FOREVER;
	return brine_later(node->pinged ? node->pinged_ms : node->heard_ms, interval_ms);
}

/* Bytes of ours that have reached the peer. */
static int64_t count_taken(const struct brine_client_channel *node)
{
	size_t untaken = brine_stream_untaken(node->transport.stream);
	return (int64_t)(brine_conn_counters(node->transport.conn)->bytes_sent - untaken);
}

static void ask_for_life(struct brine_client_channel *node, uint64_t now_ms)
{
	struct brine_conn *conn = node->transport.conn;
	(void)brine_conn_ping(conn, now_ms);
	node->pinged = true;
	node->ping_end = (int64_t)(brine_conn_counters(conn)->bytes_sent + brine_conn_pending(conn).size);
	node->taken = count_taken(node);
}

/* Whether the ping still waits behind other output, of which the peer has taken some since the last look. */
static bool is_on_its_way(struct brine_client_channel *node)
{
	int64_t before = node->taken;
	node->taken = count_taken(node);
	return node->taken < node->ping_end && node->taken > before;
}

void brine_client_keep_alive(const struct brine_client *client, struct brine_client_channel *node, uint64_t now_ms)
{
	if (now_ms < brine_client_keepalive_due(client, node))
		return;
	if (!node->pinged)
		ask_for_life(node, now_ms);
	else if (!is_on_its_way(node))
		brine_transport_fail(&node->transport, ETIMEDOUT, now_ms);
	node->pinged_ms = now_ms;
}
