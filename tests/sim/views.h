/* SPDX-License-Identifier: Apache-2.0
 * What one client knows of one collection: the newest view whose pages are all in. (The client
 * library's own table is tied to its threads; this does the same by the same rules, C3 and C8.) */
#ifndef SIM_VIEWS_H
#define SIM_VIEWS_H

#include "base/arena.h"
#include "channel/message.h"

struct view_kept {
    struct arena arena;
    struct collection_view view;
    struct view_item *items;
    uint32_t pages_in;
    uint32_t references;
};

struct views {
    struct view_kept *newest;  /* NULL: none yet */
    struct view_kept *partial; /* pages still missing */
};

/* Takes a page; true when newest is another one now. */
bool views_take(struct views *views, const struct collection_view *page);
struct view_kept *views_ref(struct view_kept *view);
struct view_kept *views_unref(struct view_kept *view);
void views_done(struct views *views);

#endif
