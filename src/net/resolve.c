#include "net/addr.h"

#include "net/fail.h"

#include <errno.h>
#include <netdb.h>

static int resolve_failed(const struct brine_addr *addr, int failure, struct brine_error *error)
{
	int system_errno = failure == EAI_SYSTEM ? errno : 0;
	if (failure == EAI_MEMORY)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory while resolving %s", addr->host);
	return brine_fail_system(error, BRINE_ERR_RESOLVE, system_errno, "could not resolve %s: %s", addr->host,
	                         gai_strerror(failure));
}

int brine_addr_resolve(const struct brine_addr *addr, int use, struct brine_sockaddr *list, size_t capacity,
                       size_t *ret_count, struct brine_error *error)
{
	if (capacity == 0)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "no room for any address");
	if (addr->sockaddr.size) {
		list[0] = addr->sockaddr;
		*ret_count = 1;
		return 0;
	}
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	                         .ai_socktype = SOCK_STREAM,
	                         .ai_protocol = IPPROTO_TCP,
	                         .ai_flags = use == BRINE_ADDR_LISTEN ? AI_PASSIVE : 0};
	struct addrinfo *found;
	int failure = getaddrinfo(addr->host, NULL, &hints, &found);
	if (failure)
		return resolve_failed(addr, failure, error);
	size_t count = 0;
	for (const struct addrinfo *each = found; each && count < capacity; each = each->ai_next) {
		if ((each->ai_family != AF_INET && each->ai_family != AF_INET6) || each->ai_addrlen > sizeof list[0].u)
			continue;
		struct brine_sockaddr next = {.size = each->ai_addrlen};
		memcpy(&next.u, each->ai_addr, each->ai_addrlen);
		brine_sockaddr_set_port(&next, addr->port);
		bool twice = false;
		for (size_t i = 0; i < count && !twice; i++)
			twice = brine_sockaddr_equal(&list[i], &next);
		if (!twice)
			list[count++] = next;
	}
	freeaddrinfo(found);
	if (count == 0)
		return brine_fail(error, BRINE_ERR_RESOLVE, 0, "%s has no internet address", addr->host);
	*ret_count = count;
	return 0;
}
