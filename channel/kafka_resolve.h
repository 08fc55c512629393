/* SPDX-License-Identifier: Apache-2.0
 * getaddrinfo() for librdkafka, whose threads look names up again and again while the broker is
 * away. glibc's has a lock of its own (around the list of interfaces) that it does not make anew in
 * a forked child: if another thread held it at the fork, the child's first look-up waits for ever,
 * and closing the handle with it. So fork() waits until no look-up of ours is under way. */
#ifndef CHANNEL_KAFKA_RESOLVE_H
#define CHANNEL_KAFKA_RESOLVE_H

struct addrinfo;

/* As librdkafka's resolve_cb: without a node and a service it frees *found. Any thread. */
int kafka_resolve(const char *node, const char *service, const struct addrinfo *hints,
                  struct addrinfo **found, void *opaque);

#endif
