/* A peer that is silent while calls run is asked for a sign of life, and given up without one. */
#include "channel/channel.h"

#include "base/later.h"

#include <errno.h>

uint64_t brine_channel_keepalive_due(const struct brine_channel *channel, uint64_t interval_ms)
{
	if (interval_ms == 0 || channel->calls == 0 || brine_conn_wire(channel->conn) != BRINE_WIRE_FRAMED)
		return BRINE_FOREVER;
	return brine_later(channel->pinged ? channel->pinged_ms : channel->heard_ms, interval_ms);
}

/* Bytes of ours that have reached the peer. */
static int64_t count_taken(const struct brine_channel *channel)
{
	size_t untaken = brine_stream_untaken(channel->stream);
	return (int64_t)(brine_conn_counters(channel->conn)->bytes_sent - untaken);
}

static void ask_for_life(struct brine_channel *channel, uint64_t now_ms)
{
	struct brine_conn *conn = channel->conn;
	(void)brine_conn_ping(conn, now_ms);
	channel->pinged = true;
	channel->ping_end = (int64_t)(brine_conn_counters(conn)->bytes_sent + brine_conn_pending(conn).size);
	channel->taken = count_taken(channel);
}

/* Whether the ping still waits behind other output, of which the peer has taken some since the last look. */
static bool is_on_its_way(struct brine_channel *channel)
{
	int64_t before = channel->taken;
	channel->taken = count_taken(channel);
	return channel->taken < channel->ping_end && channel->taken > before;
}

void brine_channel_keep_alive(struct brine_channel *channel, uint64_t interval_ms, uint64_t now_ms)
{
	if (now_ms < brine_channel_keepalive_due(channel, interval_ms))
		return;
	if (!channel->pinged)
		ask_for_life(channel, now_ms);
	else if (!is_on_its_way(channel))
		brine_channel_fail(channel, ETIMEDOUT, now_ms);
	channel->pinged_ms = now_ms;
}
