/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/views.h"

#include "base/check.h"
#include <stdlib.h>
#include <string.h>

enum { VIEWS_ARENA_BYTES = 1 << 20, VIEWS_ITEMS_MAX = 256, VIEWS_PAGES_MAX = 32 };

struct view_kept *views_ref(struct view_kept *view)
{
    view->references++;
    return view;
}

struct view_kept *views_unref(struct view_kept *view)
{
    if (view != NULL && --view->references == 0) {
        arena_done(&view->arena);
        free(view);
    }
    return NULL;
}

void views_done(struct views *views)
{
    views->newest = views_unref(views->newest);
    views->partial = views_unref(views->partial);
}

static struct view_kept *begin(const struct collection_view *page)
{
    struct view_kept *kept = calloc(1, sizeof *kept);

    CHECK(kept != NULL);
    kept->references = 1;
    arena_init(&kept->arena, VIEWS_ARENA_BYTES);
    kept->view = *page;
    kept->view.name = arena_strndup(&kept->arena, page->name, strlen(page->name));
    kept->view.page = 0;
    kept->view.items_count = 0;
    kept->items = arena_calloc(&kept->arena, VIEWS_ITEMS_MAX, sizeof *kept->items);
    CHECK(kept->view.name != NULL && kept->items != NULL);
    kept->view.items = kept->items;
    return kept;
}

static void copy_item(struct view_kept *kept, const struct view_item *from)
{
    CHECK(kept->view.items_count < VIEWS_ITEMS_MAX);
    struct view_item *item = &kept->items[kept->view.items_count++];
    struct view_copy *copies = arena_calloc(&kept->arena, from->copies_count + 1, sizeof *copies);

    CHECK(copies != NULL);
    *item = *from;
    item->copies = copies;
    for (size_t c = 0; c < from->copies_count; c++) {
        copies[c] = from->copies[c];
        copies[c].replica =
            arena_strndup(&kept->arena, from->copies[c].replica, strlen(from->copies[c].replica));
        CHECK(copies[c].replica != NULL);
    }
}

static bool is_newer(const struct collection_view *page, const struct view_kept *than)
{
    return than == NULL || qn_epoch_compare(page->version, than->view.version) > 0;
}

bool views_take(struct views *views, const struct collection_view *page)
{
    if (!is_newer(page, views->newest) || page->page >= VIEWS_PAGES_MAX)
        return false;
    if (is_newer(page, views->partial)) {
        views->partial = views_unref(views->partial);
        views->partial = begin(page);
    }
    struct view_kept *partial = views->partial;
    if (qn_epoch_compare(page->version, partial->view.version) != 0 ||
        page->pages != partial->view.pages || (partial->pages_in & 1u << page->page) != 0)
        return false;
    partial->pages_in |= 1u << page->page;
    for (size_t i = 0; i < page->items_count; i++)
        copy_item(partial, &page->items[i]);
    if (partial->pages_in != (uint32_t)((UINT64_C(1) << page->pages) - 1))
        return false;
    views->newest = views_unref(views->newest);
    views->newest = partial;
    views->partial = NULL;
    return true;
}
