/* SPDX-License-Identifier: Apache-2.0
 * Flags and file share one list of keys (config.def). The only file that includes inih. */
#include "agent/config.h"

#include "base/check.h"
#include "base/error.h"
#include "channel/subject.h"
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum config_key {
#define KEY(name, text, argument, help) KEY_##name,
#include "agent/config.def"
#undef KEY
    KEY_COUNT,
    KEY_config,
    KEY_check_config,
    KEY_help,
    KEY_version,
};

static const char *const key_names[KEY_COUNT] = {
#define KEY(name, text, argument, help) [KEY_##name] = text,
#include "agent/config.def"
#undef KEY
};

/* getopt's values of our flags lie beyond characters. */
enum { FLAG_BASE = 256 };

static const struct option flags[] = {
#define KEY(name, text, argument, help) {text, required_argument, NULL, FLAG_BASE + KEY_##name},
#include "agent/config.def"
#undef KEY
    {"config", required_argument, NULL, FLAG_BASE + KEY_config},
    {"check-config", no_argument, NULL, FLAG_BASE + KEY_check_config},
    {"help", no_argument, NULL, FLAG_BASE + KEY_help},
    {"version", no_argument, NULL, FLAG_BASE + KEY_version},
    {NULL, 0, NULL, 0},
};

static bool take_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret_value)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < low || value > high)
        return false;
    *ret_value = value;
    return true;
}

/* 123, 64K, 512M, 4G, 1T, and the same as KiB and so on. */
static bool take_bytes(const char *text, uint64_t *ret_bytes)
{
    static const char units[] = "KMGT";
    char digits[32];
    size_t digits_count = strspn(text, "0123456789");
    const char *rest = text + digits_count;
    uint64_t value;
    unsigned shift = 0;

    if (digits_count >= sizeof digits)
        return false;
    memcpy(digits, text, digits_count);
    digits[digits_count] = '\0';
    if (*rest != '\0') {
        const char *unit = strchr(units, *rest);
        if (unit == NULL || (strcmp(rest + 1, "") != 0 && strcmp(rest + 1, "iB") != 0))
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (!take_number(digits, 1, UINT64_MAX >> shift, &value))
        return false;
    *ret_bytes = value << shift;
    return true;
}

static bool take_text(const char *text, char *ret_text, size_t capacity)
{
    int length = snprintf(ret_text, capacity, "%s", text);

    return length > 0 && (size_t)length < capacity;
}

static bool take_value(struct config *config, enum config_key key, const char *text)
{
    uint64_t number = 0;
    bool good = false;

    switch (key) {
    case KEY_node_id:
        good = take_number(text, 1, INT64_MAX, &number);
        config->node_id = (int64_t)number;
        break;
    case KEY_bus:
        good = take_text(text, config->bus, sizeof config->bus) && strstr(text, "://") != NULL;
        break;
    case KEY_cluster:
        good = take_text(text, config->cluster, sizeof config->cluster) &&
               subject_cluster_is_valid(text);
        break;
    case KEY_state_dir:
        good = take_text(text, config->state_dir, sizeof config->state_dir);
        break;
    case KEY_memory_budget:
        good = take_bytes(text, &config->memory_budget_bytes);
        break;
    case KEY_workers:
        good = take_number(text, 1, CONFIG_WORKERS_MAX, &number);
        config->workers = (unsigned)number;
        break;
    case KEY_loaders:
        good = take_number(text, 1, CONFIG_LOADERS_MAX, &number);
        config->loaders = (unsigned)number;
        break;
    case KEY_release_grace_ms:
        good = take_number(text, 0, CONFIG_RELEASE_GRACE_MS_MAX, &config->release_grace_ms);
        break;
    case KEY_log_level:
        good = log_level_from_name(text, &config->log_level);
        break;
    default:
        break;
    }
    return good;
}

static const char *wanted(enum config_key key)
{
    switch (key) {
    case KEY_node_id:
        return "a number from 1 on";
    case KEY_bus:
        return "a URL like nats://127.0.0.1:4222";
    case KEY_cluster:
        return "1 to 64 of letters, digits, _ and -";
    case KEY_memory_budget:
        return "bytes, as 512M or 4G";
    case KEY_workers:
        return "1 to 256";
    case KEY_loaders:
        return "1 to 64";
    case KEY_release_grace_ms:
        return "0 to 600000";
    case KEY_log_level:
        return "error, warning, info or debug";
    default:
        return "a path";
    }
}

struct file_reading {
    struct config *config;
    const char *path;
    struct qn_error *error;
    bool failed;
};

/* inih's handler: 0 marks the line as bad. Only the first trouble is told. */
static int on_file_line(void *owner, const char *section, const char *name, const char *value)
{
    struct file_reading *reading = owner;

    if (reading->failed)
        return 0;
    for (int key = 0; section[0] == '\0' && key < KEY_COUNT; key++) {
        if (strcmp(key_names[key], name) != 0)
            continue;
        if (take_value(reading->config, (enum config_key)key, value))
            return 1;
        (void)error_set(reading->error, QN_STATUS_CONFIG, "%.100s: %s = %.40s: want %s",
                        reading->path, name, value, wanted((enum config_key)key));
        reading->failed = true;
        return 0;
    }
    if (section[0] != '\0')
        (void)error_set(reading->error, QN_STATUS_CONFIG, "%.100s: section [%.40s]: none is known",
                        reading->path, section);
    else
        (void)error_set(reading->error, QN_STATUS_CONFIG, "%.100s: unknown key %.40s",
                        reading->path, name);
    reading->failed = true;
    return 0;
}

static enum qn_status read_file(const char *path, struct config *config, struct qn_error *error)
{
    struct file_reading reading = {.config = config, .path = path, .error = error};
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return error_set(error, QN_STATUS_CONFIG, "%.100s: cannot be read: %s", path,
                         strerror(errno));
    int line = ini_parse_file(file, on_file_line, &reading);
    bool unread =
        ferror(file) != 0; /* inih takes it for the end: a folder would be an empty file */
    (void)fclose(file);
    if (reading.failed)
        return error->status;
    if (line < 0 || unread)
        return error_set(error, QN_STATUS_CONFIG, "%.100s: cannot be read", path);
    if (line > 0)
        return error_set(error, QN_STATUS_CONFIG, "%.100s: line %d: not `key = value`", path, line);
    return QN_STATUS_OK;
}

/* One pass over the flags: where the file is, and wishes that need nothing else. */
static enum qn_status find_file(int argc, char **argv, const char **ret_path,
                                enum config_wish *ret_wish, struct qn_error *error)
{
    int value, place = 0;

    optind = 1;
    opterr = 0;
    while ((value = getopt_long(argc, argv, ":", flags, &place)) != -1) {
        if (value == '?')
            return error_set(error, QN_STATUS_INVALID, "unknown flag %.60s; try --help",
                             argv[optind - 1]);
        if (value == ':')
            return error_set(error, QN_STATUS_INVALID, "%.60s wants a value; try --help",
                             argv[optind - 1]);
        if (value == FLAG_BASE + KEY_config)
            *ret_path = optarg;
        else if (value == FLAG_BASE + KEY_help)
            *ret_wish = CONFIG_HELP;
        else if (value == FLAG_BASE + KEY_version)
            *ret_wish = CONFIG_VERSION;
    }
    if (optind < argc)
        return error_set(error, QN_STATUS_INVALID, "unexpected %.60s; try --help", argv[optind]);
    return QN_STATUS_OK;
}

static enum qn_status take_flags(int argc, char **argv, struct config *config,
                                 struct qn_error *error)
{
    int value;

    optind = 1;
    while ((value = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
        int key = value - FLAG_BASE;
        if (key == KEY_check_config)
            config->check_only = true;
        else if (key < KEY_COUNT && !take_value(config, (enum config_key)key, optarg))
            return error_set(error, QN_STATUS_INVALID, "--%s %.60s: want %s", key_names[key],
                             optarg, wanted((enum config_key)key));
    }
    return QN_STATUS_OK;
}

static enum qn_status take_environment(struct config *config, struct qn_error *error)
{
    static const struct {
        const char *name;
        enum config_key key;
    } variables[] = {{"QNODE_BUS", KEY_bus}, {"QNODE_CLUSTER", KEY_cluster}};

    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        const char *text = getenv(variables[i].name);
        if (text != NULL && text[0] != '\0' && !take_value(config, variables[i].key, text))
            return error_set(error, QN_STATUS_CONFIG, "%s=%.60s: want %s", variables[i].name, text,
                             wanted(variables[i].key));
    }
    return QN_STATUS_OK;
}

static enum qn_status check_required(const struct config *config, struct qn_error *error)
{
    if (config->node_id == 0)
        return error_set(error, QN_STATUS_CONFIG, "--node-id is required");
    if (config->bus[0] == '\0')
        return error_set(error, QN_STATUS_CONFIG, "--bus is required (or QNODE_BUS)");
    if (config->state_dir[0] == '\0')
        return error_set(error, QN_STATUS_CONFIG, "--state-dir is required");
    return QN_STATUS_OK;
}

enum qn_status config_read(int argc, char **argv, struct config *ret_config,
                           enum config_wish *ret_wish, struct qn_error *error)
{
    const char *path = NULL;

    *ret_config = (struct config){.cluster = "default",
                                  .release_grace_ms = LIMIT_RELEASE_GRACE_MS,
                                  .log_level = LOG_LEVEL_INFO};
    *ret_wish = CONFIG_RUN;
    enum qn_status status = find_file(argc, argv, &path, ret_wish, error);
    if (status != QN_STATUS_OK || *ret_wish != CONFIG_RUN)
        return status;
    status = take_environment(ret_config, error);
    if (status == QN_STATUS_OK && path != NULL)
        status = read_file(path, ret_config, error);
    if (status == QN_STATUS_OK)
        status = take_flags(argc, argv, ret_config, error);
    if (status == QN_STATUS_OK)
        status = check_required(ret_config, error);
    return status;
}

static void print_flag(const char *text, const char *argument, const char *help)
{
    char flag[40];

    (void)snprintf(flag, sizeof flag, "--%s %s", text, argument);
    (void)printf("  %-25s %s\n", flag, help);
}

void config_print_help(void)
{
    (void)printf("usage: qnoded --node-id N --bus URL --state-dir DIR [flags]\n\n"
                 "The agent of one host: loads segments, answers searches, hands over, releases.\n"
                 "Defaults stand in brackets.\n\n");
#define KEY(name, text, argument, help) print_flag(text, argument, help);
#include "agent/config.def"
#undef KEY
    print_flag("config", "FILE", "lines of `key = value`, keys as above; flags win");
    print_flag("check-config", "", "say what would run, and exit");
    print_flag("help", "", "this text");
    print_flag("version", "", "the version");
    (void)printf("\nexamples:\n"
                 "  qnoded --bus nats://127.0.0.1:4222 --node-id 1 --state-dir node1\n"
                 "  qnoded --config qnoded.ini --memory-budget 4G --log-level debug\n"
                 "  qnoded --config qnoded.ini --check-config\n"
                 "\nexit codes: 0 ok, 1 failed, 2 usage, 69 bus unreachable,"
                 " 75 state in use, 78 bad\nconfiguration\n");
}
