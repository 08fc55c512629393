/* SPDX-License-Identifier: Apache-2.0
 * Reads /proc and the cgroup tree. A process has a path in each hierarchy (/proc/self/cgroup);
 * where that hierarchy lies says /proc/self/mountinfo. The limit that counts is the smallest on the
 * way up. In a container the path may not be visible: then the mount's root is all that can be
 * read, and it is the container's own cgroup. */
#include "agent/memory.h"

#include "base/limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V1_NO_LIMIT (UINT64_C(1) << 62)

enum { LINE_BYTES = 4096, HEADROOM_PER_CENT = 2 };

/* One cgroup hierarchy as this process sees it. */
struct hierarchy {
    bool is_v2;
    bool is_mounted;
    char path[LIMIT_PATH_BYTES];  /* of the process, within the hierarchy */
    char mount[LIMIT_PATH_BYTES]; /* where it is mounted */
    char mount_root[LIMIT_PATH_BYTES];
};

static FILE *open_under(const char *root, const char *path)
{
    char full[3 * LIMIT_PATH_BYTES];
    int length = snprintf(full, sizeof full, "%s%s", root, path);

    return length > 0 && (size_t)length < sizeof full ? fopen(full, "re") : NULL;
}

static void copy_text(char ret_text[LIMIT_PATH_BYTES], const char *text)
{
    (void)snprintf(ret_text, LIMIT_PATH_BYTES, "%s", text);
}

/* "Name:   123 kB" -> bytes */
static bool take_kib(const char *line, const char *name, uint64_t *ret_bytes)
{
    size_t name_bytes = strlen(name);
    uint64_t kib;

    if (strncmp(line, name, name_bytes) != 0 || line[name_bytes] != ':' ||
        sscanf(line + name_bytes + 1, "%" SCNu64, &kib) != 1)
        return false;
    *ret_bytes = kib * 1024;
    return true;
}

static void read_kib_lines(const char *root, const char *path, const char *const names[2],
                           uint64_t *ret_values[2])
{
    char line[LINE_BYTES];
    FILE *file = open_under(root, path);

    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        for (int i = 0; i < 2; i++)
            (void)take_kib(line, names[i], ret_values[i]);
    (void)fclose(file);
}

/* True if the comma-separated list has the word. */
static bool list_has(const char *list, const char *word)
{
    size_t word_bytes = strlen(word);

    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, word_bytes) == 0 && strchr(",\n", at[word_bytes]) != NULL)
            return true;
    }
    return false;
}

/* "4:memory:/a/b" (v1) or "0::/a/b" (v2) */
static void find_paths(const char *root, struct hierarchy *v1, struct hierarchy *v2)
{
    char line[LINE_BYTES];
    FILE *file = open_under(root, "/proc/self/cgroup");

    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        if (controllers[1] == '\0')
            copy_text(v2->path, path);
        else if (list_has(controllers + 1, "memory"))
            copy_text(v1->path, path);
    }
    (void)fclose(file);
}

/* Mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
    char *into = text;

    for (const char *from = text; *from != '\0'; into++) {
        unsigned code;
        if (from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1 && code < 256) {
            *into = (char)code;
            from += 4;
        } else {
            *into = *from++;
        }
    }
    *into = '\0';
}

/* "id parent dev ROOT MOUNT options ... - FSTYPE source SUPER_OPTIONS" */
static void take_mount(char *line, struct hierarchy *v1, struct hierarchy *v2)
{
    char mount_root[LIMIT_PATH_BYTES], mount[LIMIT_PATH_BYTES], kind[32], options[LIMIT_PATH_BYTES];
    const char *tail = strstr(line, " - ");

    if (tail == NULL || sscanf(line, "%*s %*s %*s %1023s %1023s", mount_root, mount) != 2 ||
        sscanf(tail, " - %31s %*s %1023s", kind, options) != 2)
        return;
    struct hierarchy *hierarchy = NULL;
    if (strcmp(kind, "cgroup2") == 0)
        hierarchy = v2;
    else if (strcmp(kind, "cgroup") == 0 && list_has(options, "memory"))
        hierarchy = v1;
    if (hierarchy == NULL || hierarchy->is_mounted)
        return;
    unescape(mount_root);
    unescape(mount);
    copy_text(hierarchy->mount_root, mount_root);
    copy_text(hierarchy->mount, mount);
    hierarchy->is_mounted = true;
}

static void find_mounts(const char *root, struct hierarchy *v1, struct hierarchy *v2)
{
    char line[LINE_BYTES];
    FILE *file = open_under(root, "/proc/self/mountinfo");

    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        take_mount(line, v1, v2);
    (void)fclose(file);
}

/* The limit in one folder; UINT64_MAX when there is none. */
static uint64_t limit_in(const char *root, const char *folder, bool is_v2)
{
    char path[2 * LIMIT_PATH_BYTES + 64], text[64];
    uint64_t limit;

    (void)snprintf(path, sizeof path, "%s/%s", folder,
                   is_v2 ? "memory.max" : "memory.limit_in_bytes");
    FILE *file = open_under(root, path);
    if (file == NULL)
        return UINT64_MAX;
    bool has_limit =
        fgets(text, sizeof text, file) != NULL && sscanf(text, "%" SCNu64, &limit) == 1;
    (void)fclose(file);
    if (!has_limit || (!is_v2 && limit >= V1_NO_LIMIT))
        return UINT64_MAX;
    return limit;
}

/* The process' path relative to the mount; "" when it lies outside of what is mounted. */
static const char *path_in_mount(const struct hierarchy *hierarchy)
{
    size_t root_bytes = strlen(hierarchy->mount_root);

    if (strstr(hierarchy->path, "..") != NULL)
        return "";
    if (strcmp(hierarchy->mount_root, "/") == 0)
        return hierarchy->path;
    if (strncmp(hierarchy->path, hierarchy->mount_root, root_bytes) == 0 &&
        (hierarchy->path[root_bytes] == '/' || hierarchy->path[root_bytes] == '\0'))
        return hierarchy->path + root_bytes;
    return "";
}

static uint64_t limit_of(const char *root, const struct hierarchy *hierarchy)
{
    char folder[2 * LIMIT_PATH_BYTES];
    uint64_t limit = UINT64_MAX;

    if (!hierarchy->is_mounted)
        return UINT64_MAX;
    (void)snprintf(folder, sizeof folder, "%s%s", hierarchy->mount, path_in_mount(hierarchy));
    size_t mount_bytes = strlen(hierarchy->mount);
    for (;;) {
        uint64_t here = limit_in(root, folder, hierarchy->is_v2);
        limit = here < limit ? here : limit;
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < mount_bytes)
            return limit;
        *slash = '\0';
    }
}

static uint64_t read_cgroup_limit(const char *root)
{
    struct hierarchy v1 = {.is_v2 = false}, v2 = {.is_v2 = true};

    find_paths(root, &v1, &v2);
    find_mounts(root, &v1, &v2);
    uint64_t limit_v1 = limit_of(root, &v1), limit_v2 = limit_of(root, &v2);
    uint64_t limit = limit_v1 < limit_v2 ? limit_v1 : limit_v2;
    return limit == UINT64_MAX ? 0 : limit;
}

void memory_read(const char *root, struct memory_truth *ret_truth)
{
    *ret_truth = (struct memory_truth){0};
    read_kib_lines(root, "/proc/self/status", (const char *const[2]){"RssAnon", "VmLck"},
                   (uint64_t *[2]){&ret_truth->anon_bytes, &ret_truth->locked_bytes});
    read_kib_lines(root, "/proc/meminfo", (const char *const[2]){"MemAvailable", "MemTotal"},
                   (uint64_t *[2]){&ret_truth->available_bytes, &ret_truth->total_bytes});
    ret_truth->cgroup_limit_bytes = read_cgroup_limit(root);
}

uint64_t memory_read_anon(const char *root)
{
    uint64_t anon_bytes = 0, locked_bytes = 0;

    read_kib_lines(root, "/proc/self/status", (const char *const[2]){"RssAnon", "VmLck"},
                   (uint64_t *[2]){&anon_bytes, &locked_bytes});
    return anon_bytes;
}

struct memory_budget memory_budget(const struct memory_truth *truth, uint64_t configured_bytes)
{
    struct memory_budget budget = {.source = "MemTotal"};
    uint64_t ceiling = truth->total_bytes;

    if (truth->cgroup_limit_bytes > 0 && (ceiling == 0 || truth->cgroup_limit_bytes < ceiling)) {
        ceiling = truth->cgroup_limit_bytes;
        budget.source = "cgroup limit";
    }
    budget.headroom_bytes = ceiling / 100 * HEADROOM_PER_CENT;
    if (budget.headroom_bytes < MEMORY_HEADROOM_MIN_BYTES)
        budget.headroom_bytes = MEMORY_HEADROOM_MIN_BYTES;
    budget.bytes = ceiling > budget.headroom_bytes ? ceiling - budget.headroom_bytes : 0;
    if (configured_bytes > 0 && (configured_bytes <= budget.bytes || ceiling == 0)) {
        budget.bytes = configured_bytes;
        budget.source = "configured";
    }
    return budget;
}
