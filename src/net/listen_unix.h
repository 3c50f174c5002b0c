/* net/listen_unix.h - the part of net/listener.h that deals with files. */
#ifndef BRINE_NET_LISTENER_UNIX_H
#define BRINE_NET_LISTENER_UNIX_H

#include "net/addr.h"

#include <sys/stat.h>

/* Makes a listening socket at a path by the rules of net/listener.h. *ret_file: the file made, to know it again. The
 * caller owns *ret_fd. Errors as brine_listen_socket_open(). */
int brine_unix_listen(int *ret_fd, struct stat *ret_file, const struct brine_sockaddr *at, unsigned mode,
                      struct brine_error *error);

/* Removes the path where it still is that file. */
void brine_unix_unlink(const struct brine_sockaddr *at, const struct stat *file);

#endif
