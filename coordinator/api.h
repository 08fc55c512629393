/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's API: requests in, answers out. Every verb is idempotent by its effect, because
 * a client repeats what it heard no answer to. Pure. */
#ifndef COORDINATOR_API_H
#define COORDINATOR_API_H

#include "coordinator/core.h"
#include "coordinator/text.h"
#include "segstore/manifest.h"

void api_on_request(struct core *core, const struct message *request);
/* The manifest that LOAD_COLLECTION asked for; NULL: error says why there is none. */
void api_on_manifest(struct core *core, const struct message *request,
                     const struct manifest *manifest, const struct qn_error *error);

/* ---- between api*.c -------------------------------------------------------------------------- */

/* What a changing verb says: it is kept for repeats of the request. */
struct api_change {
    struct text text;
    int64_t collection_id; /* of the collection it speaks of; 0: none */
    uint64_t *move_ids;    /* the moves that it opened or found open; malloc */
    size_t moves_count;
};

/* An answer without lists. */
void api_answer(struct core *core, const struct message *request, enum qn_status status,
                const char *text);
/* One page of an answer, status OK, to be filled. */
struct coord_answer *api_page(struct core *core, const struct message *request, uint32_t page,
                              uint32_t pages);

/* The verbs that change something: a status, and what to say. */
enum qn_status api_load(struct core *core, const struct coord_request *request,
                        const struct manifest *manifest, struct api_change *ret_change);
enum qn_status api_release(struct core *core, const struct coord_request *request,
                           struct api_change *ret_change);
enum qn_status api_balance(struct core *core, const struct coord_request *request,
                           struct api_change *ret_change);
/* The verbs that tell: they answer by themselves. */
void api_list(struct core *core, const struct message *request);
/* The answer to a changing verb: text, its collection, its moves as they stand now. */
void api_list_change(struct core *core, const struct message *request,
                     const struct core_answer *given);

/* Bytes and number of the copies that are wanted on a node and that its ledger does not know yet.
 */
void api_planned(const struct core *core, int64_t node_id, uint64_t *ret_bytes,
                 uint64_t *ret_count);

#endif
