#include "net/sockaddr.h"

#include <brine/error.h>

#include <arpa/inet.h>
#include <stdio.h>

void brine_sockaddr_set_port(struct brine_sockaddr *sockaddr, uint16_t port)
{
	if (sockaddr->u.any.sa_family == AF_INET6)
		sockaddr->u.in6.sin6_port = htons(port);
	else if (sockaddr->u.any.sa_family == AF_INET)
		sockaddr->u.in.sin_port = htons(port);
}

uint16_t brine_sockaddr_port(const struct brine_sockaddr *sockaddr)
{
	if (sockaddr->u.any.sa_family == AF_INET6)
		return ntohs(sockaddr->u.in6.sin6_port);
	return sockaddr->u.any.sa_family == AF_INET ? ntohs(sockaddr->u.in.sin_port) : 0;
}

void brine_sockaddr_unmap(struct brine_sockaddr *sockaddr)
{
	const struct sockaddr_in6 *in6 = &sockaddr->u.in6;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6->sin6_port};
	if (sockaddr->size < sizeof *in6 || in6->sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return;
	memcpy(&in.sin_addr, in6->sin6_addr.s6_addr + 12, sizeof in.sin_addr);
	sockaddr->u.in = in;
	sockaddr->size = sizeof in;
}

bool brine_sockaddr_is_path(const struct brine_sockaddr *sockaddr)
{
	return sockaddr->u.any.sa_family == AF_UNIX && sockaddr->size > offsetof(struct sockaddr_un, sun_path) &&
	       sockaddr->u.un.sun_path[0] != '\0';
}

static void format_unix(char *out, size_t capacity, const struct brine_sockaddr *sockaddr)
{
	const struct sockaddr_un *un = &sockaddr->u.un;
	size_t head = offsetof(struct sockaddr_un, sun_path);
	size_t size = sockaddr->size > head ? sockaddr->size - head : 0;
	char name[4 * sizeof un->sun_path + 8];
	bool abstract = size > 0 && un->sun_path[0] == '\0';
	if (abstract)
		brine_escape(name, sizeof name, un->sun_path + 1, size - 1);
	else
		brine_escape(name, sizeof name, un->sun_path, strnlen(un->sun_path, size));
	snprintf(out, capacity, "unix://%s%s", abstract ? "@" : "", name);
}

static void format_in6(char *out, size_t capacity, const struct sockaddr_in6 *in6)
{
	char host[INET6_ADDRSTRLEN];
	char scope[16] = "";
	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
	if (in6->sin6_scope_id)
		snprintf(scope, sizeof scope, "%%%u", in6->sin6_scope_id);
	snprintf(out, capacity, "tcp://[%s%s]:%u", host, scope, ntohs(in6->sin6_port));
}

char *brine_sockaddr_format(char *out, size_t capacity, const struct brine_sockaddr *sockaddr)
{
	char host[INET_ADDRSTRLEN];
	if (capacity == 0)
		return out;
	out[0] = '\0';
	if (sockaddr->size < sizeof(sa_family_t))
		return out;
	switch (sockaddr->u.any.sa_family) {
	case AF_UNIX: format_unix(out, capacity, sockaddr); break;
	case AF_INET6: format_in6(out, capacity, &sockaddr->u.in6); break;
	case AF_INET:
		inet_ntop(AF_INET, &sockaddr->u.in.sin_addr, host, sizeof host);
		snprintf(out, capacity, "tcp://%s:%u", host, ntohs(sockaddr->u.in.sin_port));
		break;
	default: snprintf(out, capacity, "family-%d://", (int)sockaddr->u.any.sa_family); break;
	}
	return out;
}

bool brine_sockaddr_equal(const struct brine_sockaddr *a, const struct brine_sockaddr *b)
{
	if (a->size == 0 || b->size == 0 || a->u.any.sa_family != b->u.any.sa_family)
		return a->size == b->size;
	switch (a->u.any.sa_family) {
	case AF_INET: return a->u.in.sin_port == b->u.in.sin_port && a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr;
	case AF_INET6:
		return a->u.in6.sin6_port == b->u.in6.sin6_port && a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id &&
		       memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr) == 0;
	default: return a->size == b->size && memcmp(&a->u, &b->u, a->size) == 0;
	}
}
