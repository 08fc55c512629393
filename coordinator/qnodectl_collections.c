/* SPDX-License-Identifier: Apache-2.0
 * collections load and release. Waiting watches two things: the coordinator's count of serving
 * segments, and the nodes' receipts, because a LoadFailed says why long before a timeout would. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_STEP_MS = 100 };

/* A collection as last seen. */
struct seen {
    int64_t collection_id;
    char name[LIMIT_NAME_BYTES];
    uint32_t segments_count, serving_count;
    uint64_t rows_count, bytes;
    bool found;
};

/* Segments whose last try to load failed. */
struct failures {
    int64_t *segment_ids; /* malloc */
    size_t count, capacity;
};

static void on_collections(void *owner, const struct coord_answer *answer)
{
    struct seen *seen = owner;

    for (size_t i = 0; i < answer->collections_count; i++) {
        const struct collection_info *info = &answer->collections[i];
        if (info->collection_id != seen->collection_id)
            continue;
        seen->found = true;
        (void)snprintf(seen->name, sizeof seen->name, "%s", info->name);
        seen->segments_count = info->segments_count;
        seen->serving_count = info->segments_serving;
        seen->rows_count = info->num_rows;
        seen->bytes = info->mem_size;
    }
}

static enum qn_status look(struct ctl *ctl, struct seen *seen, struct qn_error *error)
{
    struct coord_request request = {.verb = COORD_LIST_COLLECTIONS};

    seen->found = false;
    return ctl_call(ctl, &request, on_collections, seen, error);
}

static void failures_set(struct failures *failures, int64_t segment_id, bool failed)
{
    size_t i = 0;

    while (i < failures->count && failures->segment_ids[i] != segment_id)
        i++;
    if (!failed && i < failures->count) {
        failures->segment_ids[i] = failures->segment_ids[--failures->count];
        return;
    }
    if (!failed || i < failures->count || i == LIMIT_SEGMENTS_PER_VIEW_MAX)
        return;
    if (failures->count == failures->capacity) {
        failures->capacity = failures->capacity * 2 + 64;
        failures->segment_ids =
            reallocarray(failures->segment_ids, failures->capacity, sizeof(int64_t));
        CHECK(failures->segment_ids != NULL);
    }
    failures->segment_ids[failures->count++] = segment_id;
}

/* Takes receipts for one step of waiting. */
static void watch(struct qn_feed *feed, struct failures *failures)
{
    uint64_t until_ms = ctl_now_ms() + WAIT_STEP_MS;
    uint64_t now_ms = until_ms - WAIT_STEP_MS;
    const struct message *message;

    for (; now_ms < until_ms; now_ms = ctl_now_ms()) {
        message = qn_feed_next(feed, (uint32_t)(until_ms - now_ms));
        if (message == NULL)
            return;
        if (message->kind == MESSAGE_SEGMENT_LOADED)
            failures_set(failures, message->segment_loaded.segment_id, false);
        if (message->kind == MESSAGE_LOAD_FAILED) {
            failures_set(failures, message->load_failed.segment_id, true);
            (void)fprintf(stderr, "segment %" PRId64 " failed to load on %s: %s\n",
                          message->load_failed.segment_id, message->sender,
                          message->load_failed.text);
        }
    }
}

static enum qn_status wait_counting(struct ctl *ctl, struct qn_feed *feed, struct seen *seen,
                                    struct failures *failures, struct qn_error *error)
{
    uint64_t deadline_ms = ctl_now_ms() + (uint64_t)ctl->arguments->timeout_s * 1000;
    uint32_t said = UINT32_MAX;

    for (;;) {
        if (look(ctl, seen, error) != QN_STATUS_OK)
            return error->status;
        if (seen->found && seen->serving_count != said && !ctl->arguments->json)
            printf("%u of %u segments serving\n", seen->serving_count, seen->segments_count);
        (void)fflush(stdout);
        said = seen->found ? seen->serving_count : said;
        if (seen->found && seen->serving_count == seen->segments_count)
            return QN_STATUS_OK;
        if (failures->count > 0 && failures->count + seen->serving_count >= seen->segments_count)
            return error_set(error, QN_STATUS_INCOMPLETE,
                             "%zu of %u segments failed to load (reasons above; the coordinator "
                             "goes on trying)",
                             failures->count, seen->segments_count);
        if (ctl_now_ms() >= deadline_ms)
            return error_set(error, QN_STATUS_TIMEOUT,
                             "%u of %u segments serving after %u s; the load goes on",
                             seen->serving_count, seen->segments_count, ctl->arguments->timeout_s);
        watch(feed, failures);
    }
}

static enum qn_status wait_serving(struct ctl *ctl, struct qn_feed *feed, struct seen *seen,
                                   struct qn_error *error)
{
    struct failures failures = {.count = 0};
    enum qn_status status = wait_counting(ctl, feed, seen, &failures, error);

    free(failures.segment_ids);
    return status;
}

static void print_loaded(const struct ctl *ctl, const struct seen *seen)
{
    char rows[TEXT_BYTES], bytes[TEXT_BYTES];

    if (!ctl->arguments->json) {
        printf("collection %" PRId64 " (%s): %u of %u segments serving, %s rows, %s\n",
               seen->collection_id, seen->name, seen->serving_count, seen->segments_count,
               text_count(seen->rows_count, rows), text_bytes(seen->bytes, bytes));
        if (seen->serving_count < seen->segments_count)
            printf("next: qnodectl collections list shows when all are serving\n");
        return;
    }
    struct doc *row = doc_object();
    doc_set_int(row, "collectionID", seen->collection_id);
    doc_set_string(row, "name", seen->name);
    doc_set_int(row, "segments", seen->segments_count);
    doc_set_int(row, "segmentsServing", seen->serving_count);
    doc_set_int(row, "num_rows", (int64_t)seen->rows_count);
    doc_set_int(row, "mem_size", (int64_t)seen->bytes);
    doc_print(row);
    doc_free(row);
}

struct loading {
    struct ctl *ctl;
    struct seen *seen;
};

static void on_load(void *owner, const struct coord_answer *answer)
{
    struct loading *loading = owner;

    for (size_t i = 0; i < answer->collections_count; i++)
        loading->seen->collection_id = answer->collections[i].collection_id;
    ctl_say_text(loading->ctl, answer);
}

static int load_folder(struct ctl *ctl, struct qn_feed *feed, const char *folder)
{
    struct coord_request request = {.verb = COORD_LOAD_COLLECTION,
                                    .folder = folder,
                                    .dst_node_ids = ctl->arguments->nodes.values,
                                    .dst_node_ids_count = ctl->arguments->nodes.count};
    struct seen seen = {.found = false};
    struct loading loading = {.ctl = ctl, .seen = &seen};
    struct qn_error error = {0};
    enum qn_status status = ctl_call(ctl, &request, on_load, &loading, &error);

    if (status == QN_STATUS_OK && ctl->arguments->wait)
        status = wait_serving(ctl, feed, &seen, &error);
    else if (status == QN_STATUS_OK)
        status = look(ctl, &seen, &error);
    if (status != QN_STATUS_OK)
        return ctl_fail(&error);
    print_loaded(ctl, &seen);
    return 0;
}

int ctl_collections_load(struct ctl *ctl)
{
    const char *operand = ctl->operands[0];
    char *folder = realpath(operand, NULL); /* NULL: it may lie on the coordinator's host only */
    struct qn_feed *feed = NULL;
    struct qn_error error = {0};
    int code;

    if (qn_feed_open(ctl->client, QN_FEED_EVENTS, &feed, &error) != QN_STATUS_OK)
        code = ctl_fail(&error);
    else
        code = load_folder(ctl, feed, folder != NULL ? folder : operand);
    qn_feed_close(feed);
    free(folder);
    return code;
}

/* Gone: no node holds a copy of it any more. */
static void on_segments(void *owner, const struct coord_answer *answer)
{
    size_t *held_count = owner;

    for (size_t i = 0; i < answer->segments_count; i++)
        *held_count += answer->segments[i].node_id != 0;
}

static enum qn_status wait_released(struct ctl *ctl, const char *collection, struct qn_error *error)
{
    struct coord_request request = {.verb = COORD_LIST_SEGMENTS, .collection = collection};
    uint64_t deadline_ms = ctl_now_ms() + (uint64_t)ctl->arguments->timeout_s * 1000;

    for (;;) {
        size_t held_count = 0;
        enum qn_status status = ctl_call(ctl, &request, on_segments, &held_count, error);

        if (status == QN_STATUS_NOT_FOUND || (status == QN_STATUS_OK && held_count == 0))
            return QN_STATUS_OK;
        if (status != QN_STATUS_OK)
            return status;
        if (ctl_now_ms() >= deadline_ms)
            return error_set(error, QN_STATUS_TIMEOUT, "%zu copies are still held after %u s",
                             held_count, ctl->arguments->timeout_s);
        clock_nap_us(WAIT_STEP_MS * 1000);
    }
}

int ctl_collections_release(struct ctl *ctl)
{
    struct coord_request request = {.verb = COORD_RELEASE_COLLECTION,
                                    .collection = ctl->operands[0]};
    struct qn_error error = {0};
    enum qn_status status = ctl_call(ctl, &request, ctl_say_text, ctl, &error);
    bool wait = ctl->arguments->wait;

    if (status == QN_STATUS_OK && wait)
        status = wait_released(ctl, ctl->operands[0], &error);
    if (status != QN_STATUS_OK)
        return ctl_fail(&error);
    if (!ctl->arguments->json) {
        if (wait)
            printf("collection %s is released\n", ctl->operands[0]);
        return 0;
    }
    struct doc *row = doc_object();
    doc_set_string(row, "collection", ctl->operands[0]);
    doc_set_bool(row, "released", wait);
    doc_print(row);
    doc_free(row);
    return 0;
}
