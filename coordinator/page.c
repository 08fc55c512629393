/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/page.h"

#include "channel/codec.h"
#include "channel/paging.h"
#include "coordinator/api.h"

size_t page_bytes(struct core *core, const struct message *message)
{
    struct message most = *message;
    struct collection_view view;

    most.cluster = core->options.cluster;
    most.sender = "coordinator";
    most.boot = core->options.boot;
    most.term = most.request_id = UINT64_MAX;
    most.traceparent = "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff";
    if (most.kind == MESSAGE_COORD_ANSWER) {
        most.coord_answer.page = most.coord_answer.pages = UINT32_MAX;
        most.coord_answer.answer_number = UINT64_MAX;
        if (most.coord_answer.view != NULL) {
            view = *most.coord_answer.view;
            view.page = view.pages = UINT32_MAX;
            most.coord_answer.view = &view;
        }
    }
    arena_reset(&core->probe);
    return codec_size(&most, &core->probe);
}

struct probe {
    struct core *core;
    const struct page_list *list;
    const char *at;
};

static size_t size_of(void *owner, size_t count)
{
    const struct probe *probe = owner;
    struct message message = {.kind = MESSAGE_COORD_ANSWER, .coord_answer = probe->list->answer};

    probe->list->put(&message.coord_answer, probe->at, count);
    return page_bytes(probe->core, &message);
}

void page_answer(struct core *core, const struct message *request, const struct page_list *list)
{
    size_t *counts = outbox_alloc(core->out, list->count, sizeof *counts);
    struct probe probe = {core, list, list->items};
    const char *at = list->items;
    uint32_t pages = 0;

    for (size_t left = list->count; left > 0; left -= counts[pages++]) {
        counts[pages] = paging_fit(left < list->page_max ? left : list->page_max, core->payload_max,
                                   size_of, &probe);
        probe.at += counts[pages] * list->item_bytes;
    }
    pages = pages == 0 ? 1 : pages;
    for (uint32_t page = 0; page < pages; page++) {
        struct coord_answer *answer = api_page(core, request, page, pages);
        const struct coord_answer said = *answer;
        *answer = list->answer;
        answer->page = said.page;
        answer->pages = said.pages;
        answer->answer_number = said.answer_number;
        list->put(answer, counts[page] == 0 ? NULL : at, counts[page]);
        at += counts[page] * list->item_bytes;
    }
}
