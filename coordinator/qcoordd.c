/* SPDX-License-Identifier: Apache-2.0
 * qcoordd: the reference coordinator as a daemon. Its supervisor restarts it: exit 75 means that
 * another coordinator took over, the state could not be written or there was no memory, 69 that the
 * bus is not there. */
#include "base/log.h"
#include "base/standard_files.h"
#include "channel/bus_url.h"
#include "channel/subject.h"
#include "coordinator/coordinator.h"
#include "coordinator/grow.h"
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#ifndef QNODE_VERSION
#define QNODE_VERSION "unknown"
#endif

enum { EXIT_USAGE = 2, CONNECT_MS = 5000, MS_MAX = 86400000 };

static const char room[] = "coordinator";
static atomic_bool stop_wanted;

struct arguments {
    const char *bus, *cluster, *state;
    uint64_t overlap_ms, ceased_wait_ms;
    enum log_level level;
};

static const char usage[] =
    "usage: qcoordd --bus URL --state FILE [--cluster NAME] [--overlap-ms MS]\n"
    "               [--ceased-wait-ms MS] [--log-level error|warning|info|debug]\n"
    "\n"
    "  --bus URL            nats://host:port[,host:port]; with a login as in\n"
    "                       'tls://coordinator@host:4222?password_file=FILE&ca=FILE'\n"
    "                       or 'kafka://host:9092?config=FILE', FILE: librdkafka's\n"
    "                       name=value\n"
    "  --state FILE         what must not be forgotten (SQLite); made if missing\n"
    "  --cluster NAME       default: default\n"
    "  --overlap-ms MS      both copies of a moved segment answer at least this long\n"
    "                       (1000)\n"
    "  --ceased-wait-ms MS  from the release of a collection to the release of its\n"
    "                       copies (60500)\n"
    "  --log-level LEVEL    default: info\n"
    "  --help, --version\n";

static const struct option long_options[] = {
    {"bus", required_argument, NULL, 'b'},
    {"cluster", required_argument, NULL, 'c'},
    {"state", required_argument, NULL, 's'},
    {"overlap-ms", required_argument, NULL, 'o'},
    {"ceased-wait-ms", required_argument, NULL, 'w'},
    {"log-level", required_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns false. */
static bool complain(const char *format, ...)
{
    va_list arguments;

    (void)fputs("qcoordd: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputs("\nnext: qcoordd --help\n", stderr);
    return false;
}

static bool parse_ms(const char *text, uint64_t *ret_ms)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > MS_MAX)
        return complain("%s is no number of milliseconds: want 1 to %d", text, MS_MAX);
    *ret_ms = value;
    return true;
}

static bool take_option(int option, char **argv, struct arguments *arguments)
{
    switch (option) {
    case 'b':
        arguments->bus = optarg;
        return true;
    case 'c':
        arguments->cluster = optarg;
        return subject_cluster_is_valid(optarg) ||
               complain("--cluster %s: want 1 to 64 of letters, digits, _ and -", optarg);
    case 's':
        arguments->state = optarg;
        return true;
    case 'o':
        return parse_ms(optarg, &arguments->overlap_ms);
    case 'w':
        return parse_ms(optarg, &arguments->ceased_wait_ms);
    case 'l':
        return log_level_from_name(optarg, &arguments->level) ||
               complain("--log-level %s: want error, warning, info or debug", optarg);
    case 'h':
        (void)fputs(usage, stdout);
        exit(standard_files_end("qcoordd", 0));
    case 'v':
        (void)printf("qcoordd %s\n", QNODE_VERSION);
        exit(standard_files_end("qcoordd", 0));
    case ':':
        return complain("%s wants a value", argv[optind - 1]);
    default:
        return complain("unknown option %s", argv[optind - 1]);
    }
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    int option;

    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
        if (!take_option(option, argv, arguments))
            return false;
    if (optind < argc)
        return complain("unexpected %s", argv[optind]);
    if (arguments->bus == NULL)
        return complain("--bus is required");
    return arguments->state != NULL || complain("--state is required");
}

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop_wanted, true);
}

static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static enum qn_status read_manifest(void *owner, const char *folder, struct manifest **ret_manifest,
                                    struct qn_error *error)
{
    (void)owner;
    return manifest_read(folder, ret_manifest, error);
}

static void on_note(void *owner, bool warning, const char *text)
{
    (void)owner;
    log_write(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, room, "%s", text);
}

static int run(struct coordinator *coordinator)
{
    while (!atomic_load(&stop_wanted)) {
        uint64_t until_us = coordinator_poll(coordinator);
        if (until_us == 0) {
            LOG_ERROR(room, "%s", coordinator_failure(coordinator));
            return GROW_EXIT_AGAIN;
        }
        /* A signal does not wake the waiter: the tick is near enough. */
        coordinator_wait(coordinator, until_us);
    }
    LOG_INFO(room, "stopped by a signal");
    return 0;
}

/* Never 0, which is no boot number. */
static uint64_t random_number(void)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = clock_wall_ms() << 22 ^ (uint64_t)getpid();
    return number | 1;
}

/* Clients that start while no coordinator runs find the views there. All works without, too. */
static void retain_views(const struct transport *transport, const char *cluster)
{
    struct subject views = subject_query_all(cluster);
    struct qn_error error = {0};
    enum qn_status status = transport_retain(transport, views.text, &error);

    if (status == QN_STATUS_OK)
        LOG_INFO(room, "the bus retains the views");
    else if (status == QN_STATUS_UNSUPPORTED)
        LOG_INFO(room, "the bus does not retain the views: %s", error.text);
    else
        LOG_WARNING(room, "the bus does not retain the views: %s", error.text);
}

static int serve(const struct arguments *arguments, const struct state *state)
{
    struct coordinator_options options = {
        .cluster = arguments->cluster,
        .boot = random_number(),
        .overlap_ms = arguments->overlap_ms,
        .ceased_wait_ms = arguments->ceased_wait_ms,
        .clock = clock_monotonic(),
        .state = *state,
        .read_manifest = read_manifest,
        .on_note = on_note,
    };
    struct coordinator *coordinator = NULL;
    struct qn_error error = {0};
    char bus[BUS_URL_SHOWN_BYTES];
    int code;

    bus_url_show(arguments->bus, bus);
    if (transport_open(arguments->bus, "qcoordd", CONNECT_MS, &options.transport, &error) !=
        QN_STATUS_OK) {
        LOG_ERROR(room, "%s", error.text);
        return qn_status_exit_code(error.status);
    }
    retain_views(&options.transport, arguments->cluster);
    if (coordinator_open(&options, &coordinator, &error) == QN_STATUS_OK) {
        LOG_INFO(room, "qcoordd %s: cluster %s on %s, state in %s", QNODE_VERSION,
                 arguments->cluster, bus, arguments->state);
        code = run(coordinator);
    } else {
        LOG_ERROR(room, "%s", error.text);
        code = qn_status_exit_code(error.status);
    }
    options.transport.ops->close(options.transport.self);
    coordinator_close(coordinator);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.cluster = "default", .level = LOG_LEVEL_INFO};
    struct state state;
    struct qn_error error = {0};

    standard_files_open();
    if (!parse(argc, argv, &arguments))
        return EXIT_USAGE;
    log_level_set(arguments.level);
    handle_signals();
    if (state_sqlite_open(arguments.state, &state, &error) != QN_STATUS_OK) {
        LOG_ERROR(room, "%s", error.text);
        return qn_status_exit_code(error.status);
    }
    int code = serve(&arguments, &state);
    state.ops->close(state.self);
    return code;
}
