/* SPDX-License-Identifier: Apache-2.0
 * Every field by hand: one that both directions of the codec forget, a look at bytes would miss. */
#include "tests/golden/samples.h"
#include "tests/test.h"
#include <string.h>

#define SAME(field)       assert_true(a->field == b->field)
#define SAME_TEXT(field)  assert_string_equal(a->field == NULL ? "" : a->field, b->field)
#define SAME_HASH(field)  assert_memory_equal(a->field.bytes, b->field.bytes, 16)
#define SAME_EPOCH(field) assert_int_equal(qn_epoch_compare(a->field, b->field), 0)
#define SAME_ARRAY(field, count)                                                                   \
    do {                                                                                           \
        SAME(count);                                                                               \
        if (a->count > 0)                                                                          \
            assert_memory_equal(a->field, b->field, a->count * sizeof *a->field);                  \
    } while (0)
#define SAME_LIST(field, count, same)                                                              \
    do {                                                                                           \
        SAME(count);                                                                               \
        for (size_t i = 0; i < a->count; i++)                                                      \
            same(&a->field[i], &b->field[i]);                                                      \
    } while (0)

static void same_load_info(const struct segment_load_info *a, const struct segment_load_info *b)
{
    SAME(segment_id);
    SAME(collection_id);
    SAME(partition_id);
    SAME_TEXT(replica);
    SAME_TEXT(path);
    SAME_HASH(content_hash);
    SAME(mem_size);
    SAME(num_rows);
    SAME(delete_generation);
    SAME_EPOCH(epoch);
    SAME(state);
}

static void same_witness(const struct witness *a, const struct witness *b)
{
    SAME(node_id);
    SAME(segment_id);
    SAME_EPOCH(epoch);
    SAME(has_content_hash);
    SAME_HASH(content_hash);
    SAME(delete_generation);
}

static void same_release(const struct segment_release *a, const struct segment_release *b)
{
    SAME(segment_id);
    SAME_EPOCH(epoch);
    SAME(ground);
    SAME_LIST(witnesses, witnesses_count, same_witness);
    SAME_EPOCH(since);
    SAME_TEXT(operator_name);
}

static void same_info(const struct segment_info *a, const struct segment_info *b)
{
    SAME(segment_id);
    SAME(collection_id);
    SAME(partition_id);
    SAME(mem_size);
    SAME(num_rows);
    SAME(node_id);
    SAME(state);
    SAME_EPOCH(epoch);
    SAME_HASH(content_hash);
    SAME(delete_generation);
    SAME_TEXT(replica);
    SAME(copy_state);
}

static void same_change(const struct segment_change_info *a, const struct segment_change_info *b)
{
    SAME(online_node_id);
    SAME_LIST(online_segments, online_segments_count, same_info);
    SAME(offline_node_id);
    SAME_LIST(offline_segments, offline_segments_count, same_info);
}

static void same_not_after(struct not_after a, struct not_after b)
{
    assert_true(a.boot == b.boot);
    assert_true(a.uptime_ms == b.uptime_ms);
}

static void same_copy_status(const struct copy_status *a, const struct copy_status *b)
{
    SAME(node_id);
    SAME(segment_id);
    SAME(nonce);
    SAME(asker_boot);
    SAME(state);
    SAME_EPOCH(epoch);
    SAME_HASH(content_hash);
    SAME(delete_generation);
    SAME_TEXT(replica);
}

static void same_search_request(const struct search_request *a, const struct search_request *b)
{
    SAME(collection_id);
    assert_true(a->k == b->k && a->nq == b->nq && a->dim == b->dim);
    SAME(metric);
    assert_int_equal((uintptr_t)b->queries % 16, 0);
    assert_memory_equal(a->queries, b->queries, a->nq * a->dim * sizeof *a->queries);
    SAME_ARRAY(segment_ids, segments_count);
    assert_true(a->deadline_ms == b->deadline_ms && a->recall == b->recall);
    assert_true(a->nprobe == b->nprobe && a->ef == b->ef && a->refine == b->refine);
}

static void same_refusal(const struct refusal *a, const struct refusal *b)
{
    SAME(index);
    SAME(status);
    SAME(moved_to);
}

static void same_hit(const struct qn_hit *a, const struct qn_hit *b)
{
    SAME(primary_key);
    assert_memory_equal(&a->distance, &b->distance, sizeof a->distance); /* NaN is NaN */
}

static void same_search_answer(const struct search_answer *a, const struct search_answer *b)
{
    SAME(status);
    SAME_TEXT(text);
    SAME(part);
    SAME(parts);
    SAME_ARRAY(covered, covered_bytes);
    SAME_ARRAY(epochs, epochs_count);
    SAME_LIST(refused, refused_count, same_refusal);
    SAME(first_query);
    SAME_ARRAY(hit_counts, hit_counts_count);
    SAME_LIST(hits, hits_count, same_hit);
    SAME(queue_us);
    SAME(search_us);
}

static void same_memory(const struct memory_report *a, const struct memory_report *b)
{
    SAME(budget_bytes);
    SAME(ledger_bytes);
    SAME(reserved_bytes);
    SAME(anon_bytes);
    SAME(locked_bytes);
    SAME(cgroup_limit_bytes);
    SAME(available_bytes);
    SAME(heap_allocated_bytes);
    SAME(heap_resident_bytes);
    SAME(heap_retained_bytes);
    SAME_ARRAY(numa_ledger_bytes, numa_ledger_count);
    SAME_ARRAY(numa_total_bytes, numa_total_count);
}

static void same_copy_report(const struct copy_report *a, const struct copy_report *b)
{
    same_info(&a->segment, &b->segment);
    SAME(numa_node);
    SAME(loaded_bytes);
    SAME(searches);
}

static void same_node_report(const struct node_report *a, const struct node_report *b)
{
    SAME(node_id);
    SAME(report_number);
    SAME(uptime_ms);
    same_memory(&a->memory, &b->memory);
    SAME(copies_digest);
    SAME(copies_count);
    SAME(has_copies);
    SAME(page);
    SAME(pages);
    SAME_LIST(copies, copies_in_page, same_copy_report);
    SAME(searches_total);
    SAME(refused_total);
    SAME(dropped_total);
    SAME(leaving);
    SAME_TEXT(kernels);
}

static void same_loaded(const struct segment_loaded *a, const struct segment_loaded *b)
{
    SAME(segment_id);
    SAME_EPOCH(epoch);
    SAME(bytes);
    SAME(numa_node);
    SAME(took_ms);
    SAME(adopted);
}

static void same_released(const struct segment_released *a, const struct segment_released *b)
{
    SAME(segment_id);
    SAME_EPOCH(epoch);
    SAME(bytes);
    SAME(rss_before);
    SAME(rss_after);
    SAME(numa_node);
    SAME(waited_ms);
    SAME(ground);
    SAME(moved_to);
}

static void same_load_failed(const struct load_failed *a, const struct load_failed *b)
{
    SAME(segment_id);
    SAME_EPOCH(epoch);
    SAME(status);
    SAME_TEXT(text);
    SAME(need_bytes);
    SAME(free_bytes);
}

static void same_release_held(const struct release_held *a, const struct release_held *b)
{
    SAME(segment_id);
    SAME_EPOCH(epoch);
    SAME(status);
    SAME_TEXT(text);
    SAME(witness_node_id);
}

static void same_refused(const struct command_refused *a, const struct command_refused *b)
{
    SAME(segment_id);
    SAME_EPOCH(epoch);
    SAME(status);
    SAME_TEXT(text);
    SAME(command_term);
}

static void same_view_copy(const struct view_copy *a, const struct view_copy *b)
{
    SAME(node_id);
    SAME_EPOCH(epoch);
    SAME_TEXT(replica);
}

static void same_view_item(const struct view_item *a, const struct view_item *b)
{
    SAME(segment_id);
    SAME(delete_generation);
    SAME(partition_id);
    SAME(num_rows);
    SAME_HASH(content_hash);
    SAME_LIST(copies, copies_count, same_view_copy);
}

static void same_view(const struct collection_view *a, const struct collection_view *b)
{
    SAME(collection_id);
    SAME_TEXT(name);
    SAME_EPOCH(version);
    SAME(readable_version);
    SAME(metric);
    SAME(dim);
    SAME(page);
    SAME(pages);
    SAME_LIST(items, items_count, same_view_item);
}

static void same_coord_request(const struct coord_request *a, const struct coord_request *b)
{
    SAME(verb);
    SAME_TEXT(collection);
    SAME_TEXT(folder);
    SAME(src_node_id);
    SAME_ARRAY(dst_node_ids, dst_node_ids_count);
    SAME_ARRAY(segment_ids, segment_ids_count);
}

static void same_node_info(const struct node_info *a, const struct node_info *b)
{
    SAME(node_id);
    SAME(boot);
    SAME(silent);
    SAME(heard_ms_ago);
    SAME(uptime_ms);
    SAME(copies_count);
    same_memory(&a->memory, &b->memory);
    SAME(refused_total);
    SAME(searches_total);
    SAME_TEXT(kernels);
}

static void same_collection(const struct collection_info *a, const struct collection_info *b)
{
    SAME(collection_id);
    SAME_TEXT(name);
    SAME_TEXT(folder);
    SAME(segments_count);
    SAME(segments_serving);
    SAME(num_rows);
    SAME(mem_size);
    SAME(metric);
    SAME(dim);
    SAME_EPOCH(version);
    SAME(readable_version);
}

static void same_move(const struct move_info *a, const struct move_info *b)
{
    SAME(move_id);
    SAME(segment_id);
    SAME(collection_id);
    SAME(src_node_id);
    SAME(dst_node_id);
    SAME_TEXT(phase);
    SAME_TEXT(reason);
    SAME(bytes);
    SAME(started_wall_ms);
    SAME(loaded_wall_ms);
    SAME(changed_wall_ms);
    SAME(finished_wall_ms);
    SAME(released_bytes);
    SAME(rss_before);
    SAME(rss_after);
    SAME(attempts);
    SAME(waited_ms);
}

static void same_coord_answer(const struct coord_answer *a, const struct coord_answer *b)
{
    SAME(status);
    SAME_TEXT(text);
    SAME_LIST(nodes, nodes_count, same_node_info);
    SAME_LIST(segments, segments_count, same_info);
    SAME_LIST(collections, collections_count, same_collection);
    SAME_LIST(moves, moves_count, same_move);
    assert_true((a->view == NULL) == (b->view == NULL));
    if (a->view != NULL)
        same_view(a->view, b->view);
    SAME(page), SAME(pages);
    SAME(answer_number);
}

static void same_commands(const struct message *a, const struct message *b)
{
    switch (a->kind) {
    case MESSAGE_LOAD_SEGMENTS:
        SAME_LIST(load_segments.segments, load_segments.segments_count, same_load_info);
        same_not_after(a->load_segments.not_after, b->load_segments.not_after);
        return;
    case MESSAGE_RELEASE_SEGMENTS:
        SAME_LIST(release_segments.segments, release_segments.segments_count, same_release);
        same_not_after(a->release_segments.not_after, b->release_segments.not_after);
        return;
    case MESSAGE_CHANGE_INFO:
        SAME(change_info.collection_id);
        SAME_EPOCH(change_info.version);
        SAME_EPOCH(change_info.follows);
        SAME_LIST(change_info.infos, change_info.infos_count, same_change);
        same_not_after(a->change_info.not_after, b->change_info.not_after);
        return;
    case MESSAGE_COPY_STATUS_REQUEST:
        SAME(copy_status_request.node_id);
        SAME(copy_status_request.segment_id);
        SAME(copy_status_request.nonce);
        return;
    default:
        assert_int_equal(a->kind, MESSAGE_REPORT_REQUEST);
    }
}

static void same_body(const struct message *a, const struct message *b)
{
    switch (a->kind) {
    case MESSAGE_COPY_STATUS:
        return same_copy_status(&a->copy_status, &b->copy_status);
    case MESSAGE_SEARCH_REQUEST:
        return same_search_request(&a->search_request, &b->search_request);
    case MESSAGE_SEARCH_ANSWER:
        return same_search_answer(&a->search_answer, &b->search_answer);
    case MESSAGE_NODE_REPORT:
        return same_node_report(&a->node_report, &b->node_report);
    case MESSAGE_SEGMENT_LOADED:
        return same_loaded(&a->segment_loaded, &b->segment_loaded);
    case MESSAGE_SEGMENT_RELEASED:
        return same_released(&a->segment_released, &b->segment_released);
    case MESSAGE_LOAD_FAILED:
        return same_load_failed(&a->load_failed, &b->load_failed);
    case MESSAGE_RELEASE_HELD:
        return same_release_held(&a->release_held, &b->release_held);
    case MESSAGE_LEAVING:
        SAME(leaving.segment_id);
        SAME_EPOCH(leaving.epoch);
        return;
    case MESSAGE_COMMAND_REFUSED:
        return same_refused(&a->command_refused, &b->command_refused);
    case MESSAGE_COLLECTION_VIEW:
        return same_view(&a->collection_view, &b->collection_view);
    case MESSAGE_COORD_REQUEST:
        return same_coord_request(&a->coord_request, &b->coord_request);
    case MESSAGE_COORD_ANSWER:
        return same_coord_answer(&a->coord_answer, &b->coord_answer);
    default:
        return same_commands(a, b);
    }
}

void samples_assert_same(const struct message *a, const struct message *b)
{
    SAME_TEXT(cluster);
    SAME_TEXT(sender);
    SAME(boot);
    SAME(term);
    SAME_ARRAY(needs, needs_count);
    SAME(request_id);
    SAME_TEXT(reply_to);
    SAME_TEXT(traceparent);
    SAME(kind);
    same_body(a, b);
}
