/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/server.h"

#include "base/check.h"
#include "channel/kafka_topics.h"
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARTITIONS = 4, CONNECT_MS = 20000 };

/* The clusters whose topics the tests use. */
static const char *const clusters[] = {"t1", "t2", "test"};

const char *bus_kind_name(enum bus_kind kind)
{
    static const char *const names[] = {"inproc", "nats", "jetstream", "kafka-mock", "kafka"};

    return names[kind];
}

/* Runs a line of the shell; its first line of output. False if it fails. */
static bool shell(char *ret_line, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool shell(char *ret_line, size_t bytes, const char *format, ...)
{
    char command[512], rest[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL);
    ret_line[0] = '\0';
    (void)fgets(ret_line, (int)bytes, pipe);
    while (fgets(rest, sizeof rest, pipe) != NULL)
        ;
    ret_line[strcspn(ret_line, "\n")] = '\0';
    return pclose(pipe) == 0;
}

const char *bus_server_lacks(enum bus_kind kind)
{
    static char reason[128];

    if ((kind == BUS_NATS || kind == BUS_JETSTREAM) && !nats_server_is_installed())
        return "nats-server is not installed";
    if (kind == BUS_KAFKA && getenv("QNODE_KAFKA_FOLDER") == NULL &&
        !shell(reason, sizeof reason, "%s/kafka_broker check", CONTRACT_DIR))
        return reason;
    return NULL;
}

static void make_folder(struct bus_server *server)
{
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/qnode-contract-XXXXXX");
    CHECK(mkdtemp(server->folder) != NULL);
}

static void remove_folder(struct bus_server *server)
{
    char line[8];

    if (*server->folder != '\0')
        (void)shell(line, sizeof line, "rm -r %s", server->folder);
}

/* ---- NATS ---- */

static void nats_up(struct bus_server *server)
{
    const char *const with[] = {"-js", "--store_dir", server->folder, NULL};
    const char *const *more = server->kind == BUS_JETSTREAM ? with : with + 3;

    CHECK(nats_server_start_with(&server->nats, server->nats.port, more));
    if (*server->url == '\0') /* it stays the same, and threads may be reading it */
        (void)snprintf(server->url, sizeof server->url, "%s", server->nats.url);
}

/* ---- the mock ---- */

static _Noreturn void become_mock(const int in[2], const int out[2])
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(in[0], STDIN_FILENO);
    (void)dup2(out[1], STDOUT_FILENO);
    (void)close(in[1]);
    (void)close(out[0]);
    (void)execl(KAFKA_MOCK, "kafka_mock", clusters[0], clusters[1], (char *)NULL);
    _exit(127);
}

/* A mock wakes no fetch that waits. */
static void write_properties(const char *path)
{
    FILE *file = fopen(path, "we");

    CHECK(file != NULL);
    (void)fputs("fetch.wait.max.ms=1\nfetch.error.backoff.ms=1\n", file);
    CHECK(fclose(file) == 0);
}

static void mock_start(struct bus_server *server)
{
    int in[2], out[2];
    char address[128], path[128];

    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    server->pid = fork();
    CHECK(server->pid >= 0);
    if (server->pid == 0)
        become_mock(in, out);
    (void)close(in[0]);
    (void)close(out[1]);
    server->to_mock = fdopen(in[1], "w");
    server->from_mock = fdopen(out[0], "r");
    CHECK(server->to_mock != NULL && server->from_mock != NULL);
    CHECK(fgets(address, sizeof address, server->from_mock) != NULL);
    address[strcspn(address, "\n")] = '\0';
    (void)snprintf(path, sizeof path, "%s/properties", server->folder);
    write_properties(path);
    (void)snprintf(server->url, sizeof server->url, "kafka://%s?config=%s", address, path);
}

static void mock_say(struct bus_server *server, const char *word)
{
    char answer[16];

    (void)fprintf(server->to_mock, "%s\n", word);
    (void)fflush(server->to_mock);
    CHECK(fgets(answer, sizeof answer, server->from_mock) != NULL);
    CHECK(strcmp(answer, "ok\n") == 0);
}

/* ---- the broker ---- */

static void broker_up(struct bus_server *server)
{
    char address[128], pid[32];

    CHECK(shell(address, sizeof address, "%s/kafka_broker start %s", CONTRACT_DIR, server->folder));
    CHECK(shell(pid, sizeof pid, "cat %s/pid", server->folder));
    server->pid = (pid_t)atoi(pid);
    if (*server->url == '\0') /* it stays the same, and threads may be reading it */
        (void)snprintf(server->url, sizeof server->url, "kafka://%s", address);
}

static void broker_start(struct bus_server *server)
{
    struct kafka_topic_report reports[TOPIC_KINDS];
    struct qn_error error = {0};

    broker_up(server);
    for (size_t i = 0; i < COUNT_OF(clusters); i++) {
        struct kafka_topics_options options = {.url = server->url,
                                               .cluster = clusters[i],
                                               .partitions = PARTITIONS,
                                               .create = true,
                                               .connect_ms = CONNECT_MS};
        if (kafka_topics(&options, reports, &error) != QN_STATUS_OK)
            (void)fprintf(stderr, "%s\n", error.text);
        CHECK(error.status == QN_STATUS_OK);
    }
}

/* ---- all of them ---- */

void bus_server_start(struct bus_server *server, enum bus_kind kind)
{
    const char *shared = getenv("QNODE_KAFKA_FOLDER");

    *server = (struct bus_server){.kind = kind, .is_shared = kind == BUS_KAFKA && shared != NULL};
    if (server->is_shared)
        (void)snprintf(server->folder, sizeof server->folder, "%s", shared);
    else if (kind != BUS_INPROC && kind != BUS_NATS)
        make_folder(server);
    if (kind == BUS_INPROC)
        (void)snprintf(server->url, sizeof server->url, "inproc://contract");
    else if (kind == BUS_KAFKA_MOCK)
        mock_start(server);
    else if (kind == BUS_KAFKA)
        broker_start(server);
    else
        nats_up(server);
}

void bus_server_stop(struct bus_server *server)
{
    char line[8];

    if (server->kind == BUS_NATS || server->kind == BUS_JETSTREAM)
        nats_server_kill(&server->nats);
    if (server->kind == BUS_KAFKA && !server->is_shared)
        (void)shell(line, sizeof line, "%s/kafka_broker kill %s", CONTRACT_DIR, server->folder);
    if (server->kind == BUS_KAFKA_MOCK) {
        (void)fclose(server->to_mock);
        (void)fclose(server->from_mock);
        (void)kill(server->pid, SIGKILL);
        (void)waitpid(server->pid, NULL, 0);
    }
    if (!server->is_shared)
        remove_folder(server);
}

void bus_server_down(struct bus_server *server)
{
    char line[8];

    CHECK(server->kind != BUS_INPROC);
    if (server->kind == BUS_KAFKA_MOCK)
        mock_say(server, "down");
    else if (server->kind == BUS_KAFKA)
        CHECK(shell(line, sizeof line, "%s/kafka_broker kill %s", CONTRACT_DIR, server->folder));
    else
        nats_server_kill(&server->nats);
}

void bus_server_up(struct bus_server *server)
{
    if (server->kind == BUS_KAFKA_MOCK)
        mock_say(server, "up");
    else if (server->kind == BUS_KAFKA)
        broker_up(server);
    else
        nats_up(server);
}

void bus_server_freeze(struct bus_server *server, bool frozen)
{
    bool is_nats = server->kind == BUS_NATS || server->kind == BUS_JETSTREAM;

    CHECK(server->kind != BUS_INPROC);
    CHECK(kill(is_nats ? server->nats.pid : server->pid, frozen ? SIGSTOP : SIGCONT) == 0);
}

void bus_server_break_producer(struct bus_server *server)
{
    CHECK(server->kind == BUS_KAFKA_MOCK);
    mock_say(server, "break");
}

void bus_server_lead(struct bus_server *server, bool led)
{
    CHECK(server->kind == BUS_KAFKA_MOCK);
    mock_say(server, led ? "led" : "unled");
}
