/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_views.h"

#include "base/check.h"
#include "channel/codec.h"
#include "channel/origin.h"
#include <stdlib.h>
#include <string.h>

/* A decoded message with a page of a view, in memory of its own. */
struct client_page {
    struct arena arena;
    const struct collection_view *view;
    struct client_page *next;
};

struct client_collection {
    int64_t collection_id;
    struct client_snapshot *newest;
    uint64_t used; /* number of the last use; 0: nobody searched it */
    uint64_t ask_not_before_us;
    uint64_t ask_id;      /* of the last question; 0: never */
    bool is_absent;       /* NOT_FOUND, it was answered */
    struct qn_epoch hint; /* a view of at least this version exists */
    uint64_t hint_due_us; /* 0: no hint */
    /* The view that is coming in; under drain_lock. */
    struct qn_epoch joining;
    struct client_page *pages; /* newest first */
    struct client_page **by_page;
    uint32_t pages_count, pages_in;
};

enum qn_status client_views_init(struct client_views *views, uint64_t seed)
{
    memset(views, 0, sizeof *views);
    CHECK(pthread_mutex_init(&views->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&views->drain_lock, NULL) == 0);
    prng_init(&views->prng, seed);
    return ring_init(&views->inbox, CLIENT_VIEWS_INBOX_SLOTS, NULL);
}

static struct client_page *page_free(struct client_page *page)
{
    if (page != NULL)
        arena_done(&page->arena);
    free(page);
    return NULL;
}

static void pages_free(struct client_page *page)
{
    while (page != NULL) {
        struct client_page *next = page->next;
        page_free(page);
        page = next;
    }
}

struct client_snapshot *client_snapshot_unref(struct client_snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub(&snapshot->references, 1) > 1)
        return NULL;
    pages_free(snapshot->pages);
    free(snapshot->items);
    free(snapshot);
    return NULL;
}

static void forget_joining(struct client_collection *collection)
{
    pages_free(collection->pages);
    free(collection->by_page);
    collection->pages = NULL;
    collection->by_page = NULL;
    collection->pages_count = collection->pages_in = 0;
}

static void collection_free(struct client_collection *collection)
{
    forget_joining(collection);
    client_snapshot_unref(collection->newest);
    free(collection);
}

void client_views_done(struct client_views *views)
{
    struct bus_message *message;

    if (views->inbox.slots == NULL)
        return;
    while ((message = ring_pop(&views->inbox)) != NULL)
        message->release(message);
    for (uint32_t i = 0; i < views->collections_count; i++)
        collection_free(views->collections[i]);
    ring_done(&views->inbox);
    (void)pthread_mutex_destroy(&views->drain_lock);
    (void)pthread_mutex_destroy(&views->lock);
}

void client_views_offer(struct client_views *views, struct bus_message *message)
{
    size_t size = message->size;

    if (message->no_responders || size == 0 || size > LIMIT_MESSAGE_BYTES_MAX) {
        message->release(message);
        return;
    }
    if (atomic_fetch_add(&views->inbox_bytes, size) + size <= CLIENT_VIEWS_INBOX_BYTES &&
        ring_push(&views->inbox, message))
        return;
    atomic_fetch_sub(&views->inbox_bytes, size);
    atomic_store(&views->has_lost, true);
    message->release(message);
}

static struct client_collection *find_locked(struct client_views *views, int64_t collection_id)
{
    for (uint32_t i = 0; i < views->collections_count; i++)
        if (views->collections[i]->collection_id == collection_id)
            return views->collections[i];
    return NULL;
}

/* Makes room by forgetting the one unused longest. Holder of drain_lock only: it may hold pages. */
static void evict_locked(struct client_views *views)
{
    uint32_t oldest = 0;

    for (uint32_t i = 1; i < views->collections_count; i++)
        if (views->collections[i]->used < views->collections[oldest]->used)
            oldest = i;
    collection_free(views->collections[oldest]);
    views->collections[oldest] = views->collections[--views->collections_count];
}

/* NULL: no room, or no memory. */
static struct client_collection *find_or_add_locked(struct client_views *views,
                                                    int64_t collection_id)
{
    struct client_collection *collection = find_locked(views, collection_id);

    if (collection != NULL || views->collections_count == CLIENT_VIEWS_MAX)
        return collection;
    collection = calloc(1, sizeof *collection);
    if (collection == NULL)
        return NULL;
    collection->collection_id = collection_id;
    views->collections[views->collections_count++] = collection;
    return collection;
}

/* Holder of drain_lock only. NULL: no memory. */
static struct client_collection *find_or_add(struct client_views *views, int64_t collection_id)
{
    (void)pthread_mutex_lock(&views->lock);
    if (views->collections_count == CLIENT_VIEWS_MAX && find_locked(views, collection_id) == NULL)
        evict_locked(views);
    struct client_collection *collection = find_or_add_locked(views, collection_id);
    (void)pthread_mutex_unlock(&views->lock);
    return collection;
}

/* Takes the pages; NULL: no memory, or more items than a view may have. */
static struct client_snapshot *join(struct client_collection *collection)
{
    const struct collection_view *first = collection->by_page[0]->view;
    struct client_snapshot *snapshot = calloc(1, sizeof *snapshot);
    size_t items_count = 0;

    for (uint32_t i = 0; i < collection->pages_count; i++)
        items_count += collection->by_page[i]->view->items_count;
    if (snapshot == NULL || items_count > LIMIT_SEGMENTS_PER_VIEW_MAX) {
        free(snapshot);
        return NULL;
    }
    snapshot->view = *first;
    if (collection->pages_count > 1) {
        struct view_item *items = malloc((items_count + 1) * sizeof *items);
        if (items == NULL) {
            free(snapshot);
            return NULL;
        }
        snapshot->view.items = snapshot->items = items;
        for (uint32_t i = 0; i < collection->pages_count; i++) {
            const struct collection_view *page = collection->by_page[i]->view;
            if (page->items_count > 0)
                memcpy(items, page->items, page->items_count * sizeof *items);
            items += page->items_count;
        }
    }
    snapshot->view.items_count = items_count;
    snapshot->view.page = 0;
    snapshot->view.pages = 1;
    snapshot->pages = collection->pages;
    collection->pages = NULL;
    atomic_init(&snapshot->references, 1);
    return snapshot;
}

static void publish(struct client_views *views, struct client_collection *collection)
{
    struct client_snapshot *snapshot = join(collection);

    forget_joining(collection);
    if (snapshot == NULL)
        return;
    (void)pthread_mutex_lock(&views->lock);
    struct client_snapshot *old = collection->newest;
    collection->newest = snapshot;
    collection->is_absent = false;
    if (qn_epoch_compare(collection->hint, snapshot->view.version) <= 0)
        collection->hint_due_us = 0;
    (void)pthread_mutex_unlock(&views->lock);
    atomic_fetch_add(&views->sequence, 1);
    client_snapshot_unref(old);
}

/* Whether the page belongs to the view that is coming in; a newer one takes its place. */
static bool begin_joining(struct client_collection *collection, const struct collection_view *view)
{
    int order = qn_epoch_compare(view->version, collection->joining);

    if (collection->by_page != NULL && order < 0)
        return false;
    if (collection->by_page != NULL && order == 0 && collection->pages_count == view->pages)
        return true;
    forget_joining(collection);
    collection->by_page = calloc(view->pages, sizeof(struct client_page *));
    collection->pages_count = view->pages;
    collection->joining = view->version;
    return collection->by_page != NULL;
}

/* Owns the page. */
static void take_view(struct client_views *views, struct client_page *page)
{
    const struct collection_view *view = page->view;
    struct client_collection *collection = find_or_add(views, view->collection_id);

    if (collection == NULL || view->pages == 0 || view->page >= view->pages ||
        view->pages > LIMIT_VIEW_PAGES_MAX ||
        (collection->newest != NULL &&
         qn_epoch_compare(view->version, collection->newest->view.version) <= 0) ||
        !begin_joining(collection, view) || collection->by_page[view->page] != NULL) {
        page_free(page);
        return;
    }
    collection->by_page[view->page] = page;
    page->next = collection->pages;
    collection->pages = page;
    if (++collection->pages_in == collection->pages_count)
        publish(views, collection);
}

/* The holder of a view that is older than the change looks out for the newer one. Who holds none
 * asks when it searches. */
static void take_hint(struct client_views *views, const struct change_info *info, uint64_t now_us)
{
    (void)pthread_mutex_lock(&views->lock);
    struct client_collection *collection = find_locked(views, info->collection_id);
    if (collection != NULL && collection->newest != NULL &&
        qn_epoch_compare(collection->newest->view.version, info->version) < 0 &&
        qn_epoch_compare(collection->hint, info->version) < 0) {
        collection->hint = info->version;
        collection->hint_due_us =
            now_us + CLIENT_VIEWS_HINT_US + prng_below(&views->prng, CLIENT_VIEWS_JITTER_US);
    }
    (void)pthread_mutex_unlock(&views->lock);
}

/* The answer names no collection, only the question. Who holds a view goes on with it. */
static void take_absence(struct client_views *views, uint64_t request_id)
{
    (void)pthread_mutex_lock(&views->lock);
    for (uint32_t i = 0; i < views->collections_count; i++) {
        struct client_collection *collection = views->collections[i];
        if (request_id != 0 && collection->ask_id == request_id && collection->newest == NULL)
            collection->is_absent = true;
    }
    (void)pthread_mutex_unlock(&views->lock);
    atomic_fetch_add(&views->sequence, 1);
}

static void take_message(struct client_views *views, const struct bus_message *bytes,
                         uint64_t now_us)
{
    struct message message;
    struct client_page *page = calloc(1, sizeof *page);

    if (page == NULL)
        return;
    arena_init(&page->arena, LIMIT_DECODE_ARENA_BYTES);
    if (codec_decode(bytes->bytes, bytes->size, &page->arena, &message, NULL) != QN_STATUS_OK ||
        !origin_is_right(message.cluster, bytes->subject, &message)) {
        page_free(page);
        return;
    }
    if (message.kind == MESSAGE_COORD_ANSWER)
        page->view = message.coord_answer.view;
    if (message.kind == MESSAGE_COORD_ANSWER && message.coord_answer.status == QN_STATUS_NOT_FOUND)
        take_absence(views, message.request_id);
    if (message.kind == MESSAGE_CHANGE_INFO)
        take_hint(views, &message.change_info, now_us);
    if (message.kind == MESSAGE_COLLECTION_VIEW) {
        /* `message` is on our stack: the page keeps a copy. */
        struct collection_view *view = arena_alloc(&page->arena, sizeof *view);
        if (view != NULL)
            *view = message.collection_view;
        page->view = view;
    }
    if (page->view != NULL)
        take_view(views, page);
    else
        page_free(page);
}

/* Messages were lost: every view may be old. */
static void distrust_all(struct client_views *views, uint64_t now_us)
{
    (void)pthread_mutex_lock(&views->lock);
    for (uint32_t i = 0; i < views->collections_count; i++)
        views->collections[i]->hint_due_us =
            now_us + prng_below(&views->prng, CLIENT_VIEWS_JITTER_US);
    (void)pthread_mutex_unlock(&views->lock);
}

void client_views_drain(struct client_views *views, uint64_t now_us)
{
    /* Who finds the lock taken leaves: its holder looks again after letting go. */
    while (ring_count(&views->inbox) > 0) {
        struct bus_message *message;
        if (pthread_mutex_trylock(&views->drain_lock) != 0)
            return;
        while ((message = ring_pop(&views->inbox)) != NULL) {
            atomic_fetch_sub(&views->inbox_bytes, message->size);
            take_message(views, message, now_us);
            message->release(message);
        }
        if (atomic_exchange(&views->has_lost, false))
            distrust_all(views, now_us);
        (void)pthread_mutex_unlock(&views->drain_lock);
    }
}

struct client_snapshot *client_views_get(struct client_views *views, int64_t collection_id)
{
    (void)pthread_mutex_lock(&views->lock);
    struct client_collection *collection = find_locked(views, collection_id);
    struct client_snapshot *snapshot = collection == NULL ? NULL : collection->newest;
    if (collection != NULL)
        collection->used = ++views->uses_count;
    if (snapshot != NULL)
        atomic_fetch_add(&snapshot->references, 1);
    (void)pthread_mutex_unlock(&views->lock);
    return snapshot;
}

void client_views_asked(struct client_views *views, int64_t collection_id, uint64_t request_id)
{
    (void)pthread_mutex_lock(&views->lock);
    struct client_collection *collection = find_locked(views, collection_id);
    if (collection != NULL) {
        collection->ask_id = request_id;
        collection->is_absent = false;
    }
    (void)pthread_mutex_unlock(&views->lock);
}

bool client_views_is_absent(struct client_views *views, int64_t collection_id)
{
    (void)pthread_mutex_lock(&views->lock);
    const struct client_collection *collection = find_locked(views, collection_id);
    bool is_absent = collection != NULL && collection->is_absent;
    (void)pthread_mutex_unlock(&views->lock);
    return is_absent;
}

static bool should_ask_locked(struct client_collection *collection, bool is_hint, uint64_t now_us)
{
    if (now_us < collection->ask_not_before_us)
        return false;
    if (is_hint && (collection->hint_due_us == 0 || now_us < collection->hint_due_us))
        return false;
    collection->ask_not_before_us = now_us + CLIENT_VIEWS_ASK_US;
    bool is_answered = collection->newest == NULL ||
                       qn_epoch_compare(collection->hint, collection->newest->view.version) <= 0;
    if (is_hint)
        collection->hint_due_us = is_answered ? 0 : now_us + CLIENT_VIEWS_HINT_AGAIN_US;
    return true;
}

bool client_views_should_ask(struct client_views *views, int64_t collection_id, bool is_hint,
                             uint64_t now_us)
{
    (void)pthread_mutex_lock(&views->lock);
    struct client_collection *collection = find_or_add_locked(views, collection_id);
    bool is_due = collection == NULL ? !is_hint : should_ask_locked(collection, is_hint, now_us);
    (void)pthread_mutex_unlock(&views->lock);
    return is_due;
}
