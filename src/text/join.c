#include "text/text.h"

void brine_text_joins_init(struct text_joins *joins)
{
	pthread_mutex_init(&joins->lock, NULL);
	pthread_cond_init(&joins->write.changed, NULL);
	pthread_cond_init(&joins->read.changed, NULL);
}

void brine_text_joins_done(struct text_joins *joins)
{
	pthread_cond_destroy(&joins->read.changed);
	pthread_cond_destroy(&joins->write.changed);
	pthread_mutex_destroy(&joins->lock);
}

/* The rest of them hold the lock. */

static struct text_join *join_of(struct text_joins *joins, enum brine_text_direction direction)
{
	return direction == BRINE_TEXT_READ ? &joins->write : &joins->read;
}

/* Nothing joins any more, where nothing has. */
static void end_join(struct text_join *join, int status)
{
	join->is_open = false;
	join->status = status;
	pthread_cond_broadcast(&join->changed);
}

static struct brine_request *take_request(struct text_join *join)
{
	struct brine_request *request = join->request;
	join->request = NULL;
	return request;
}

/* ---- for the loop of the connection ---- */

void brine_text_joins_open(struct text_joins *joins)
{
	joins->write.is_open = joins->read.is_open = true;
}

bool brine_text_claim(struct text_joins *joins, enum brine_text_direction direction)
{
	struct text_join *join = join_of(joins, direction);
	pthread_mutex_lock(&joins->lock);
	bool claimed = join->is_open;
	join->is_open = false;
	join->is_coming = claimed;
	pthread_mutex_unlock(&joins->lock);
	return claimed;
}

bool brine_text_hand_over(struct text_joins *joins, enum brine_text_direction direction, struct brine_request *request,
                          const struct brine_wire_piece *first)
{
	struct text_join *join = join_of(joins, direction);
	pthread_mutex_lock(&joins->lock);
	bool taken = join->status != BRINE_ERR_CANCELLED;
	if (taken)
		join->request = request;
	if (taken && first)
		joins->first = *first;
	join->is_coming = false;
	pthread_cond_broadcast(&join->changed);
	pthread_mutex_unlock(&joins->lock);
	return taken;
}

void brine_text_joins_lost(struct text_joins *joins)
{
	pthread_mutex_lock(&joins->lock);
	end_join(&joins->write, BRINE_ERR_LOST);
	end_join(&joins->read, BRINE_ERR_LOST);
	pthread_mutex_unlock(&joins->lock);
}

/* ---- for the threads of the conversation ---- */

void brine_text_no_reader(struct text_joins *joins)
{
	pthread_mutex_lock(&joins->lock);
	if (joins->read.is_open)
		end_join(&joins->read, BRINE_ERR_LOST);
	pthread_mutex_unlock(&joins->lock);
}

struct brine_request *brine_text_last_read(struct text_joins *joins)
{
	pthread_mutex_lock(&joins->lock);
	joins->read.is_open = false;
	while (joins->read.is_coming)
		pthread_cond_wait(&joins->read.changed, &joins->lock);
	struct brine_request *request = take_request(&joins->read);
	pthread_mutex_unlock(&joins->lock);
	return request;
}

static int await(struct text_joins *joins, struct text_join *join, struct brine_request **ret_request,
                 struct brine_wire_piece *ret_first)
{
	pthread_mutex_lock(&joins->lock);
	while (!join->request && (join->status == 0 || join->is_coming))
		pthread_cond_wait(&join->changed, &joins->lock);
	int status = join->request ? 0 : join->status;
	if (status == 0)
		*ret_request = take_request(join);
	if (status == 0 && ret_first)
		*ret_first = joins->first;
	pthread_mutex_unlock(&joins->lock);
	return status;
}

int brine_text_await_write(struct text_joins *joins, struct brine_request **ret_request,
                           struct brine_wire_piece *ret_first)
{
	return await(joins, &joins->write, ret_request, ret_first);
}

int brine_text_await_read(struct text_joins *joins, struct brine_request **ret_request)
{
	return await(joins, &joins->read, ret_request, NULL);
}

void brine_text_joins_close(struct text_joins *joins)
{
	pthread_mutex_lock(&joins->lock);
	struct brine_request *write = take_request(&joins->write);
	struct brine_request *read = take_request(&joins->read);
	end_join(&joins->write, BRINE_ERR_CANCELLED);
	end_join(&joins->read, BRINE_ERR_CANCELLED);
	pthread_mutex_unlock(&joins->lock);
	if (write)
		(void)brine_request_fail(write, BRINE_CODE_CANCELLED, "nobody reads the text any more");
	if (read)
		(void)brine_request_fail(read, BRINE_CODE_CANCELLED, "the text was cut off");
}
