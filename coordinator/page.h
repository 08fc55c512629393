/* SPDX-License-Identifier: Apache-2.0
 * Lists into messages that the bus takes (max_payload), by the size of what is sent. Pure. */
#ifndef COORDINATOR_PAGE_H
#define COORDINATOR_PAGE_H

#include "coordinator/core.h"

/* Bytes of the message with its envelope: at most, whatever term, request and page it will be. */
size_t page_bytes(struct core *core, const struct message *message);

/* A list, and how some of it is put into an answer. `answer` is what every page says beside it. */
struct page_list {
    struct coord_answer answer;
    const void *items;
    size_t count, item_bytes, page_max;
    void (*put)(struct coord_answer *answer, const void *items, size_t count);
};

/* Answers the request with the list, in as many pages as it takes; at least one. */
void page_answer(struct core *core, const struct message *request, const struct page_list *list);

#endif
