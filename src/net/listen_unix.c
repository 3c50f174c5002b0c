#include "net/listen_unix.h"

#include "net/clock.h"
#include "net/fail.h"
#include "net/random.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	LOCK_WAIT_MS = 1000,
	LOCK_PAUSE_MS = 10,
};

/* A path on its way to be a listening socket. */
struct place {
	const struct brine_sockaddr *at;
	char folder[sizeof((struct sockaddr_un *)0)->sun_path]; /* with its final '/' */
	const char *name;                                       /* the rest of the path */
	char text[BRINE_ADDR_TEXT_SIZE];                        /* the address, for error texts */
	int folder_fd;                                          /* locked */
	char temporary[24];                                     /* name in the folder; "" while there is none */
	int fd;
	struct stat file;
	struct brine_error *error;
};

static int place_failed(const struct place *place, const char *what)
{
	return brine_fail_errno(place->error, BRINE_ERR_SYSTEM, errno, "could not listen on %.130s: %s", place->text,
	                        what);
}

static void split_place(struct place *place)
{
	const char *path = place->at->u.un.sun_path;
	const char *slash = strrchr(path, '/');
	place->name = slash + 1;
	memcpy(place->folder, path, (size_t)(place->name - path));
}

static int lock_folder(struct place *place)
{
	uint64_t deadline_ms = brine_clock_ms() + LOCK_WAIT_MS;
	while (flock(place->folder_fd, LOCK_EX | LOCK_NB) < 0) {
		bool held = errno == EWOULDBLOCK;
		if (!held && errno != EINTR)
			return place_failed(place, "its folder cannot be locked");
		if (held && brine_clock_ms() >= deadline_ms) {
			errno = EWOULDBLOCK;
			return place_failed(place, "another process holds the lock of its folder");
		}
		if (held)
			poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return 0;
}

static int open_folder(struct place *place)
{
	struct stat folder;
	place->folder_fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->folder_fd < 0 || fstat(place->folder_fd, &folder) < 0)
		return place_failed(place, "its folder cannot be opened");
	if ((folder.st_mode & S_IWOTH) && !(folder.st_mode & S_ISVTX)) {
		errno = EACCES;
		return place_failed(place, "anybody could replace it, use a folder of mode 0700");
	}
	return lock_folder(place);
}

static int in_use(const struct place *place)
{
	return brine_fail(place->error, BRINE_ERR_ADDRESS_IN_USE, 0,
	                  "another server listens on %.150s: stop it or choose another path", place->text);
}

/* 0: the socket at the path is dead. */
static int check_dead(const struct place *place)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int fd;
	if (brine_socket_connect(&fd, place->at, &error) >= 0) {
		brine_socket_close(fd);
		return in_use(place);
	}
	switch (error.system_errno) {
	case ECONNREFUSED:
	case ENOENT: return 0;
	case EAGAIN: /* its queue is full */
	case EPROTOTYPE: /* a datagram socket */ return in_use(place);
	default:
		errno = error.system_errno;
		return place_failed(place, "whether a server listens there already is unknown");
	}
}

/* What stands at the path: 1: a dead socket, described in *ret_file; 0: nothing. */
static int look(const struct place *place, struct stat *ret_file)
{
	if (fstatat(place->folder_fd, place->name, ret_file, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : place_failed(place, "the path cannot be looked at");
	if (!S_ISSOCK(ret_file->st_mode))
		return brine_fail(place->error, BRINE_ERR_NOT_SOCKET, 0,
		                  "%.150s exists and is not a socket: remove it or choose another path", place->text);
	int status = check_dead(place);
	return status < 0 ? status : 1;
}

/* The temporary name as an address. Where folder and name are too long for one, the folder is reached through its
 * descriptor. */
static void temporary_address(const struct place *place, struct brine_sockaddr *ret_sockaddr)
{
	struct brine_sockaddr sockaddr = {.u.un.sun_family = AF_UNIX};
	char *path = sockaddr.u.un.sun_path;
	size_t capacity = sizeof sockaddr.u.un.sun_path;
	int size = snprintf(path, capacity, "%s%s", place->folder, place->temporary);
	if ((size_t)size >= capacity)
		size = snprintf(path, capacity, "/proc/self/fd/%d/%s", place->folder_fd, place->temporary);
	sockaddr.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size + 1);
	*ret_sockaddr = sockaddr;
}

/* A listening socket under a temporary name, with its mode. */
static int make_socket(struct place *place, unsigned mode)
{
	uint64_t random;
	struct brine_sockaddr at;
	if (brine_random_fill(&random, sizeof random) < 0)
		return place_failed(place, "no randomness");
	place->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The mode of an unbound socket is what bind() gives the file, less the umask: it is never wider than it may
	 * be. */
	if (place->fd < 0 || fchmod(place->fd, mode) < 0)
		return place_failed(place, "could not make a socket");
	snprintf(place->temporary, sizeof place->temporary, ".%016llx", (unsigned long long)random);
	temporary_address(place, &at);
	if (bind(place->fd, &at.u.any, at.size) < 0) {
		int status = place_failed(place, "could not make a file in its folder");
		place->temporary[0] = '\0';
		return status;
	}
	if (fchmodat(place->folder_fd, place->temporary, mode, 0) < 0 ||
	    fstatat(place->folder_fd, place->temporary, &place->file, AT_SYMLINK_NOFOLLOW) < 0)
		return place_failed(place, "could not set its mode");
	if (listen(place->fd, SOMAXCONN) < 0)
		return place_failed(place, "listen failed");
	return 0;
}

/* Moves the socket to its place. 1: something came there meanwhile, look again. */
static int settle(struct place *place, bool replace, const struct stat *dead)
{
	struct stat now;
	if (replace && (fstatat(place->folder_fd, place->name, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	                now.st_dev != dead->st_dev || now.st_ino != dead->st_ino))
		return 1;
	unsigned flags = replace ? 0 : RENAME_NOREPLACE;
	int status = renameat2(place->folder_fd, place->temporary, place->folder_fd, place->name, flags);
	/* Not every file system knows the flag; the lock keeps other servers out all the same. */
	if (status < 0 && flags && errno == EINVAL)
		status = renameat(place->folder_fd, place->temporary, place->folder_fd, place->name);
	if (status < 0)
		return errno == EEXIST ? 1 : place_failed(place, "could not move it to its place");
	place->temporary[0] = '\0';
	return 0;
}

static int listen_at(struct place *place, unsigned mode)
{
	enum { LOOKS_MAX = 8 };
	struct stat dead;
	int status = open_folder(place);
	int found = status < 0 ? status : look(place, &dead);
	if (found < 0)
		return found;
	status = make_socket(place, mode);
	for (int i = 0; status == 0 && i < LOOKS_MAX; i++) {
		status = settle(place, found > 0, &dead);
		if (status <= 0)
			return status;
		found = look(place, &dead);
		status = found < 0 ? found : 0;
	}
	errno = EBUSY;
	return status < 0 ? status : place_failed(place, "somebody keeps changing the path");
}

int brine_unix_listen(int *ret_fd, struct stat *ret_file, const struct brine_sockaddr *at, unsigned mode,
                      struct brine_error *error)
{
	struct place place = {.at = at, .folder_fd = -1, .fd = -1, .error = error};
	brine_sockaddr_format(place.text, sizeof place.text, at);
	split_place(&place);
	int status = listen_at(&place, mode);
	if (place.temporary[0])
		unlinkat(place.folder_fd, place.temporary, 0);
	if (status < 0)
		brine_socket_close(place.fd);
	brine_socket_close(place.folder_fd);
	if (status < 0)
		return status;
	*ret_fd = place.fd;
	*ret_file = place.file;
	return 0;
}

void brine_unix_unlink(const struct brine_sockaddr *at, const struct stat *file)
{
	struct stat now;
	int saved = errno;
	if (lstat(at->u.un.sun_path, &now) == 0 && now.st_dev == file->st_dev && now.st_ino == file->st_ino)
		unlink(at->u.un.sun_path);
	errno = saved;
}
