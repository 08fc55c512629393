/* SPDX-License-Identifier: Apache-2.0
 * A nats-server of the test's own, on a free port of 127.0.0.1; it dies with the test. */
#ifndef TESTS_CONTRACT_NATS_SERVER_H
#define TESTS_CONTRACT_NATS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct nats_server {
    pid_t pid;
    int port;
    char url[64];
};

bool nats_server_is_installed(void);
/* port 0: a free one. False if it does not come up within seconds. */
bool nats_server_start(struct nats_server *server, int port);
/* more: further arguments, up to a NULL, as {"-js", "--store_dir", folder, NULL}. */
bool nats_server_start_with(struct nats_server *server, int port, const char *const *more);
/* SIGKILL, and waits for the end. */
void nats_server_kill(struct nats_server *server);

#endif
