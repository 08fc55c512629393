/* SPDX-License-Identifier: Apache-2.0
 * A load is a set of tasks on the executor's load lane. The first opens the file, reads the header,
 * maps the memory and submits the others; then all of them, the first too, take pieces of 1 MiB by
 * an atomic counter, read each straight to its place in the mapping and check it while it is in the
 * cache. The task that takes `running` to zero judges and reports, with nobody else at work. So
 * on_done comes exactly once, after the last touch of the memory, and nothing waits anywhere.
 *
 * Helpers stand in the lane behind the loads that were asked for meanwhile. `running` counts only
 * tasks that began: a helper joins while somebody works and otherwise finds the load told, so that
 * a load is done when its pieces are in and not when the lane is empty. `holders` counts tasks that
 * may still look at the load; the last of them frees it.
 *
 * A task that fails keeps its error and its piece's number in its own slot; of several errors the
 * one of the lowest piece is told. An error of reading comes before the verdict on the content,
 * since pieces are missing then.
 *
 * A full lane after the first task only means fewer hands. With an inline executor the tasks run
 * inside submit(): the first submits the second, which does all the work, finds `running` at 1
 * (the first) and leaves the report to the first. */
#include "segstore/loader.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/pieces.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS_MAX = 64 };

static const uint64_t no_piece = UINT64_MAX;

struct load_task {
    struct task task;
    struct load *load;
    uint64_t failed_piece; /* no_piece while all is well */
    struct qn_error error;
};

struct load {
    struct load_options options;
    char *path;
    load_done *on_done;
    void *owner;

    struct file file; /* open while is_open */
    bool is_open, has_pieces;
    struct pieces pieces;
    unsigned char *memory;

    _Atomic uint64_t next_piece;
    _Atomic uint64_t read_bytes;
    _Atomic bool cancelled, failed;
    _Atomic unsigned running; /* tasks at work; 0 once and for all: reported */
    _Atomic unsigned holders; /* tasks submitted and not through */
    unsigned tasks_count;
    struct load_task tasks[];
};

static void load_fail(struct load_task *task, uint64_t piece, const struct qn_error *error)
{
    task->failed_piece = piece;
    task->error = *error;
    atomic_store(&task->load->failed, true);
}

static bool should_stop(const struct load *load)
{
    return atomic_load_explicit(&load->failed, memory_order_relaxed) ||
           atomic_load_explicit(&load->cancelled, memory_order_relaxed);
}

static enum qn_status conflict(const char *what, uint64_t found, uint64_t expected,
                               struct qn_error *error)
{
    return error_set(error, QN_STATUS_CONFLICT, "section header: %s %" PRId64 ", expected %" PRId64,
                     what, (int64_t)found, (int64_t)expected);
}

static enum qn_status check_expected(const struct segment_facts *facts,
                                     const struct segment_facts *expected, struct qn_error *error)
{
    const struct {
        const char *name;
        uint64_t found, expected;
    } members[] = {
        {"segment id", (uint64_t)facts->segment_id, (uint64_t)expected->segment_id},
        {"collection id", (uint64_t)facts->collection_id, (uint64_t)expected->collection_id},
        {"partition id", (uint64_t)facts->partition_id, (uint64_t)expected->partition_id},
        {"rows", facts->rows_count, expected->rows_count},
        {"delete generation", facts->delete_generation, expected->delete_generation},
        {"resident bytes", facts->resident_bytes, expected->resident_bytes},
        {"dim", facts->dim, expected->dim != 0 ? expected->dim : facts->dim},
    };

    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (members[i].found != members[i].expected)
            return conflict(members[i].name, members[i].found, members[i].expected, error);
    if (expected->metric != QN_METRIC_UNSPECIFIED && expected->metric != facts->metric)
        return error_set(error, QN_STATUS_CONFLICT, "section header: metric %s, expected %s",
                         qn_metric_name(facts->metric), qn_metric_name(expected->metric));
    if (!qn_hash_equal(&facts->content_hash, &expected->content_hash))
        return error_set(error, QN_STATUS_CONFLICT,
                         "section header: content hash is not the expected one");
    return QN_STATUS_OK;
}

/* Everything before the first piece. Errors are without the path. */
static enum qn_status load_prepare(struct load *load, struct qn_error *error)
{
    const struct files *files = &load->options.files;
    struct format_header header;
    enum qn_status status = format_read_header(files, &load->file, &header, error);

    if (status == QN_STATUS_OK)
        status = check_expected(&header.facts, &load->options.expected, error);
    if (status == QN_STATUS_OK)
        status = pieces_init(&load->pieces, &header, true, error);
    if (status != QN_STATUS_OK)
        return status;
    load->has_pieces = true;
    if (header.facts.resident_bytes == 0)
        return QN_STATUS_OK;
    load->memory =
        files->ops->map(files->self, header.facts.resident_bytes, load->options.numa_node);
    if (load->memory == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY,
                         "map %" PRIu64 " bytes on NUMA node %u: out of memory",
                         header.facts.resident_bytes, load->options.numa_node);
    return QN_STATUS_OK;
}

/* Takes pieces until there is none left or the load has failed. */
static void load_work(struct load_task *task)
{
    struct load *load = task->load;
    const struct files *files = &load->options.files;
    struct qn_error error = {0};

    while (!should_stop(load)) {
        uint64_t number = atomic_fetch_add_explicit(&load->next_piece, 1, memory_order_relaxed);
        if (number >= load->pieces.count)
            return;
        struct piece piece = pieces_at(&load->pieces, number);
        unsigned char *target = load->memory + piece.memory_offset;
        enum qn_status status = files->ops->read_at(files->self, &load->file, piece.file_offset,
                                                    target, piece.bytes, &error);
        if (status != QN_STATUS_OK) {
            (void)error_wrap(&error, "section %s",
                             format_kind_name(load->pieces.header.sections[piece.section].kind));
            load_fail(task, number, &error);
            return;
        }
        pieces_check(&load->pieces, number, target);
        (void)atomic_fetch_add_explicit(&load->read_bytes, piece.bytes, memory_order_relaxed);
    }
}

static enum qn_status load_verdict(const struct load *load, struct qn_error *error)
{
    const struct load_task *worst = NULL;

    for (unsigned i = 0; i < load->tasks_count; i++) {
        const struct load_task *task = &load->tasks[i];
        if (task->error.status == QN_STATUS_OK)
            continue;
        if (worst == NULL || task->failed_piece < worst->failed_piece)
            worst = task;
    }
    if (worst != NULL) {
        *error = worst->error;
        return error->status;
    }
    if (atomic_load(&load->cancelled))
        return error_set(error, QN_STATUS_CANCELLED, "load cancelled");
    return pieces_finish(&load->pieces, error);
}

/* Where the sections lie, and what the index is. */
static enum qn_status find_sections(const struct load *load, struct segment *segment,
                                    struct qn_error *error)
{
    const struct format_header *header = &load->pieces.header;
    unsigned char *place = load->memory;
    enum qn_status status = QN_STATUS_OK;

    for (uint32_t i = 0; place != NULL && i < header->sections_count; i++) {
        const struct format_section *section = &header->sections[i];
        if (section->kind == FORMAT_KIND_PRIMARY_KEYS)
            segment->primary_keys = (const int64_t *)(void *)place;
        else if (section->kind == FORMAT_KIND_VECTORS)
            segment->blocks = (const float *)(void *)place;
        else if (section->kind == FORMAT_KIND_ROWS)
            segment->rows = (const float *)(void *)place;
        else if (section->kind == FORMAT_KIND_ROWS16)
            segment->rows16 = (const uint16_t *)(void *)place;
        else if (section->kind == FORMAT_KIND_INDEX)
            status = index_open(place, section->bytes, &header->facts, &segment->index, error);
        if (section->flags & FORMAT_SECTION_RESIDENT)
            place += format_padded(section->bytes);
    }
    return status;
}

/* NULL: the error is set, and the memory still the load's. */
static struct segment *load_make_segment(struct load *load, struct qn_error *error)
{
    struct segment *segment = calloc(1, sizeof *segment);

    if (segment == NULL) {
        (void)error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
        return NULL;
    }
    segment->facts = load->pieces.header.facts;
    segment->memory = load->memory;
    segment->numa_node = load->options.numa_node;
    segment->files = load->options.files;
    if (find_sections(load, segment, error) != QN_STATUS_OK) {
        free(segment);
        return NULL;
    }
    load->memory = NULL;
    return segment;
}

/* Helpers that come late keep the load, but nothing that is scarce. */
static void load_close(struct load *load)
{
    const struct files *files = &load->options.files;

    if (load->is_open)
        files->ops->close(files->self, &load->file);
    load->is_open = false;
    if (load->has_pieces)
        pieces_done(&load->pieces);
}

static void load_let_go(struct load *load)
{
    if (atomic_fetch_sub_explicit(&load->holders, 1, memory_order_acq_rel) != 1)
        return;
    free(load->path);
    free(load);
}

static void load_report(struct load *load)
{
    struct qn_error reason = {0}, error = {0};
    struct segment *segment = NULL;
    enum qn_status status = load_verdict(load, &reason);

    if (status == QN_STATUS_OK) {
        segment = load_make_segment(load, &reason);
        status = reason.status;
    }
    if (status != QN_STATUS_OK && load->is_open)
        (void)error_set(&error, status, "%s: %s", format_path_tail(load->path), reason.text);
    else if (status != QN_STATUS_OK)
        error = reason; /* the port's own words, which name the path */
    if (segment == NULL && load->memory != NULL) {
        /* A refused load has given everything back when it is told. */
        load->options.files.ops->unmap(load->options.files.self, load->memory,
                                       load->pieces.header.facts.resident_bytes);
        load->memory = NULL;
    }
    load_close(load);
    load->on_done(load->owner, load, segment, &error);
}

static void task_leave(struct load_task *task)
{
    struct load *load = task->load;

    if (atomic_fetch_sub_explicit(&load->running, 1, memory_order_acq_rel) == 1)
        load_report(load);
}

/* False: the load was told already. */
static bool task_join(struct load_task *task)
{
    unsigned running = atomic_load_explicit(&task->load->running, memory_order_relaxed);

    while (running > 0 &&
           !atomic_compare_exchange_weak_explicit(&task->load->running, &running, running + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
    }
    return running > 0;
}

static void run_helper(struct task *base)
{
    struct load_task *task = (struct load_task *)(void *)base;
    struct load *load = task->load;

    if (task_join(task)) {
        load_work(task);
        task_leave(task);
    }
    load_let_go(load);
}

static void submit_helpers(struct load *load)
{
    const struct executor *executor = &load->options.executor;

    for (unsigned i = 1; i < load->tasks_count && i < load->pieces.count; i++) {
        (void)atomic_fetch_add(&load->holders, 1);
        if (executor->ops->submit(executor->self, EXECUTOR_LANE_LOAD, load->options.numa_node,
                                  &load->tasks[i].task))
            continue;
        (void)atomic_fetch_sub(&load->holders, 1); /* never the last: the first task runs */
        return;
    }
}

static void run_first(struct task *base)
{
    struct load_task *task = (struct load_task *)(void *)base;
    struct load *load = task->load;
    const struct files *files = &load->options.files;
    struct qn_error error = {0};
    enum qn_status status = QN_STATUS_OK;

    if (!should_stop(load)) {
        status = files->ops->open(files->self, load->path, &load->file, &error);
        load->is_open = status == QN_STATUS_OK;
    }
    if (load->is_open && !should_stop(load))
        status = load_prepare(load, &error);
    if (status != QN_STATUS_OK)
        load_fail(task, 0, &error);
    if (load->has_pieces && !should_stop(load)) {
        submit_helpers(load);
        load_work(task);
    }
    task_leave(task);
    load_let_go(load);
}

static struct load *load_new(const struct load_options *options)
{
    const struct executor *executor = &options->executor;
    unsigned tasks_count = executor->ops->concurrency(executor->self, EXECUTOR_LANE_LOAD);

    if (tasks_count < 1)
        tasks_count = 1;
    if (tasks_count > TASKS_MAX)
        tasks_count = TASKS_MAX;
    struct load *load = calloc(1, sizeof *load + tasks_count * sizeof load->tasks[0]);
    if (load == NULL || (load->path = strdup(options->path)) == NULL) {
        free(load);
        return NULL;
    }
    load->options = *options;
    load->options.path = load->path;
    load->tasks_count = tasks_count;
    for (unsigned i = 0; i < tasks_count; i++)
        load->tasks[i] = (struct load_task){
            .task.run = i == 0 ? run_first : run_helper, .load = load, .failed_piece = no_piece};
    atomic_init(&load->running, 1);
    atomic_init(&load->holders, 1);
    return load;
}

struct load *load_start(const struct load_options *options, load_done *on_done, void *owner,
                        struct qn_error *error)
{
    const struct executor *executor = &options->executor;
    struct load *load = load_new(options);

    if (load == NULL) {
        (void)error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory",
                        format_path_tail(options->path));
        return NULL;
    }
    load->on_done = on_done;
    load->owner = owner;
    if (executor->ops->submit(executor->self, EXECUTOR_LANE_LOAD, options->numa_node,
                              &load->tasks[0].task))
        return load;
    (void)error_set(error, QN_STATUS_BUSY, "%s: too many loads wait",
                    format_path_tail(options->path));
    load_let_go(load);
    return NULL;
}

void load_cancel(struct load *load)
{
    atomic_store(&load->cancelled, true);
}

uint64_t load_progress_bytes(const struct load *load)
{
    return atomic_load_explicit(&load->read_bytes, memory_order_relaxed);
}
