/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/api.h"

#include "coordinator/grow.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct coord_answer *api_page(struct core *core, const struct message *request, uint32_t page,
                              uint32_t pages)
{
    struct outbox_send *send = outbox_message(core->out, OUTBOX_REPLY, 0, MESSAGE_COORD_ANSWER);
    struct coord_answer *answer = &send->message.coord_answer;

    send->reply_to = outbox_strdup(core->out, request->reply_to);
    send->message.request_id = request->request_id;
    answer->status = QN_STATUS_OK;
    answer->text = "";
    answer->page = page;
    answer->pages = pages;
    answer->answer_number = core->answer_number;
    return answer;
}

void api_answer(struct core *core, const struct message *request, enum qn_status status,
                const char *text)
{
    struct coord_answer *answer = api_page(core, request, 0, 1);

    answer->status = status;
    answer->text = outbox_strdup(core->out, text);
}

/* ---- repeats --------------------------------------------------------------------------------- */

static const struct core_answer *find_given(const struct core *core, const struct message *request)
{
    for (size_t i = 0; i < CORE_ANSWERS_KEPT; i++) {
        const struct core_answer *given = &core->answers[i];
        if (given->text != NULL && given->request_id == request->request_id &&
            strcmp(given->sender, request->sender) == 0)
            return given;
    }
    return NULL;
}

/* Takes over change's memory. */
static void answer_change(struct core *core, const struct message *request, enum qn_status status,
                          struct api_change *change)
{
    struct core_answer *given = &core->answers[core->answers_next];

    core->answers_next = (core->answers_next + 1) % CORE_ANSWERS_KEPT;
    free(given->text);
    free(given->move_ids);
    *given = (struct core_answer){
        .request_id = request->request_id,
        .status = status,
        .text = grow_strdup(change->text.bytes),
        .collection_id = change->collection_id,
        .move_ids = change->move_ids,
        .moves_count = change->moves_count,
    };
    (void)snprintf(given->sender, sizeof given->sender, "%s", request->sender);
    outbox_note(core->out, status != QN_STATUS_OK, "%s: %s: %.400s", request->sender,
                qn_status_name(status), change->text.bytes);
    api_list_change(core, request, given);
}

/* ---- dispatch -------------------------------------------------------------------------------- */

static void on_change(struct core *core, const struct message *request)
{
    const struct coord_request *body = &request->coord_request;
    const struct core_answer *given = find_given(core, request);
    struct api_change change = {0};
    enum qn_status status;

    if (given != NULL) {
        api_list_change(core, request, given);
        return;
    }
    if (body->verb == COORD_LOAD_COLLECTION) {
        core->out->manifest_folder = outbox_strdup(core->out, body->folder);
        return;
    }
    if (body->verb == COORD_RELEASE_COLLECTION)
        status = api_release(core, body, &change);
    else
        status = api_balance(core, body, &change);
    answer_change(core, request, status, &change);
}

void api_on_request(struct core *core, const struct message *request)
{
    char text[64];

    core->answer_number++;
    if (request->needs_count > 0) {
        (void)snprintf(text, sizeof text, "feature %" PRIu32 " is not known here",
                       request->needs[0]);
        api_answer(core, request, QN_STATUS_UNSUPPORTED, text);
        return;
    }
    switch (request->coord_request.verb) {
    case COORD_LOAD_COLLECTION:
    case COORD_RELEASE_COLLECTION:
    case COORD_LOAD_BALANCE:
        if (core->phase == CORE_ACTIVE)
            on_change(core, request);
        else
            api_answer(core, request, QN_STATUS_BUSY, "starting");
        return;
    case COORD_GET_VIEW:
    case COORD_LIST_SEGMENTS:
        /* Another coordinator may have what we do not: until we command, we deny nothing. */
        if (core->phase == CORE_ACTIVE)
            api_list(core, request);
        else
            api_answer(core, request, QN_STATUS_BUSY, "starting");
        return;
    case COORD_LIST_NODES:
    case COORD_LIST_COLLECTIONS:
    case COORD_LIST_MOVES:
        api_list(core, request);
        return;
    case COORD_VERB_UNSPECIFIED:
        break;
    }
    api_answer(core, request, QN_STATUS_UNSUPPORTED, "this verb is not known here");
}

void api_on_manifest(struct core *core, const struct message *request,
                     const struct manifest *manifest, const struct qn_error *error)
{
    struct api_change change = {0};

    core->answer_number++;
    if (core->phase != CORE_ACTIVE)
        return;
    if (manifest == NULL) {
        text_add(&change.text, "%s", error->text);
        answer_change(core, request, error->status, &change);
        return;
    }
    enum qn_status status = api_load(core, &request->coord_request, manifest, &change);
    answer_change(core, request, status, &change);
}

void api_planned(const struct core *core, int64_t node_id, uint64_t *ret_bytes, uint64_t *ret_count)
{
    const struct idmap *segments = &core->catalog.segments;
    const struct cluster_node *node = cluster_find(&core->cluster, node_id);

    *ret_bytes = 0;
    *ret_count = 0;
    for (size_t i = 0; i < segments->count; i++) {
        const struct catalog_segment *segment = segments->entries[i].item;
        if (segment->collection->row.ceasing || catalog_wanted(segment, node_id) == NULL ||
            (node != NULL && cluster_copy(node, segment->segment_id) != NULL))
            continue;
        *ret_bytes += segment->mem_size;
        ++*ret_count;
    }
}
