/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/nats_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS_MAX = 1000, LOOK_MS = 10 };

static void pause_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

bool nats_server_is_installed(void)
{
    return system("command -v nats-server >/dev/null 2>&1") == 0;
}

static _Noreturn void become_server(int port, const char *folder, const char *const *more)
{
    enum { ARGUMENTS_MAX = 32 };
    char port_text[16];
    const char *arguments[ARGUMENTS_MAX] = {
        "nats-server", "-a", "127.0.0.1", "-p", port_text, "--ports_file_dir", folder,
    };
    size_t count = 7;
    int nowhere = open("/dev/null", O_RDWR);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(nowhere, STDOUT_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
    (void)snprintf(port_text, sizeof port_text, "%d", port == 0 ? -1 : port);
    while (*more != NULL && count < ARGUMENTS_MAX - 1)
        arguments[count++] = *more++;
    (void)execvp("nats-server", (char *const *)arguments);
    _exit(127);
}

/* The server writes its port to a file once it listens; the file may be read half-written. */
static bool read_port(const char *path, int *ret_port)
{
    char text[256] = {0};
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return false;
    (void)fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    const char *found = strstr(text, "127.0.0.1:");
    return found != NULL && strchr(found, '}') != NULL &&
           sscanf(found, "127.0.0.1:%d", ret_port) == 1;
}

static bool can_connect(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        (void)close(fd);
    return connected;
}

bool nats_server_start(struct nats_server *server, int port)
{
    return nats_server_start_with(server, port, (const char *const[]){NULL});
}

bool nats_server_start_with(struct nats_server *server, int port, const char *const *more)
{
    char folder[] = "/tmp/qnode-ports-XXXXXX";
    char path[128];
    bool is_up = false;

    if (mkdtemp(folder) == NULL)
        return false;
    server->pid = fork();
    if (server->pid == 0)
        become_server(port, folder, more);
    (void)snprintf(path, sizeof path, "%s/nats-server_%d.ports", folder, (int)server->pid);
    for (int i = 0; !is_up && i < LOOKS_MAX; i++) {
        is_up = read_port(path, &server->port) && can_connect(server->port);
        if (!is_up)
            pause_ms(LOOK_MS);
    }
    (void)unlink(path);
    (void)rmdir(folder);
    (void)snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%d", server->port);
    return is_up;
}

void nats_server_kill(struct nats_server *server)
{
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}
