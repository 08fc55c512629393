/* SPDX-License-Identifier: Apache-2.0
 * Searches and their answers: the only messages whose size matters for speed. Queries and ids are
 * used where protobuf-c put them: each of its arrays is an allocation of the arena of its own,
 * which is 16-byte aligned. */
#include "channel/codec_internal.h"

#include "base/finite.h"
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "queries are little-endian floats on the wire and are used in place");

typedef Qnode__V1__SearchRequest wire_search_request;
typedef Qnode__V1__SearchAnswer wire_search_answer;
typedef Qnode__V1__Refusal wire_refusal;

static void search_request_decode(struct codec *codec, const wire_search_request *from,
                                  struct search_request *to)
{
    CODEC_COPY(collection_id);
    CODEC_COPY(k);
    CODEC_COPY(nq);
    CODEC_COPY(dim);
    CODEC_COPY(segment_ids);
    CODEC_COPY(deadline_ms);
    CODEC_COPY(recall);
    CODEC_COPY(nprobe);
    CODEC_COPY(ef);
    CODEC_COPY(refine);
    to->segments_count = from->n_segment_ids;
    to->metric = (enum qn_metric)from->metric;
    to->queries = (const float *)(const void *)from->queries.data;
    /* No product overflows: 32 x 32 bits, and the length is divided instead. */
    if (from->queries.len % sizeof(float) != 0 ||
        from->queries.len / sizeof(float) != (uint64_t)from->nq * from->dim)
        codec_fail(codec, "queries", "%zu bytes, %zu x %u x %u wanted", from->queries.len,
                   sizeof(float), from->nq, from->dim);
}

static void search_request_encode(struct codec *codec, const struct search_request *from,
                                  wire_search_request *to)
{
    (void)codec;
    CODEC_COPY(collection_id);
    CODEC_COPY(k);
    CODEC_COPY(nq);
    CODEC_COPY(dim);
    CODEC_COPY(deadline_ms);
    CODEC_COPY(recall);
    CODEC_COPY(nprobe);
    CODEC_COPY(ef);
    CODEC_COPY(refine);
    to->segment_ids = (int64_t *)from->segment_ids;
    to->n_segment_ids = from->segments_count;
    to->metric = (Qnode__V1__Metric)from->metric;
    to->queries.data = (uint8_t *)from->queries;
    to->queries.len = (size_t)from->nq * from->dim * sizeof(float);
}

static void search_request_check(struct codec *codec, const struct search_request *request)
{
    codec_check_range(codec, "k", request->k, 1, LIMIT_K_MAX);
    codec_check_range(codec, "nq", request->nq, 1, LIMIT_QUERIES_PER_REQUEST_MAX);
    codec_check_range(codec, "dim", request->dim, 1, LIMIT_DIM_MAX);
    codec_check_range(codec, "k x nq", (uint64_t)request->k * request->nq, 1,
                      LIMIT_HITS_PER_REQUEST_MAX);
    codec_check_range(codec, "metric", (unsigned)request->metric, QN_METRIC_UNSPECIFIED,
                      QN_METRIC_COSINE);
    codec_check_range(codec, "deadline_ms", request->deadline_ms, 0, LIMIT_SEARCH_MS_MAX);
    codec_check_range(codec, "nprobe", request->nprobe, 0, LIMIT_NPROBE_MAX);
    codec_check_range(codec, "ef", request->ef, 0, LIMIT_EF_MAX);
    codec_check_range(codec, "refine", request->refine, 0, LIMIT_REFINE_MAX);
    if (!(request->recall >= 0 && request->recall <= 1))
        codec_fail(codec, "recall", "%g, 0 to 1 wanted", (double)request->recall);
    codec_check_range(codec, "segment_ids", request->segments_count, 1,
                      LIMIT_SEGMENTS_PER_REQUEST_MAX);
    codec_check_range(codec, "queries", (uint64_t)request->nq * request->dim, 1,
                      LIMIT_MESSAGE_BYTES_MAX / sizeof(float));
    if (codec->status != QN_STATUS_OK)
        return;
    if (!finite_all(request->queries, (size_t)request->nq * request->dim))
        codec_fail(codec, "queries", "a value is not finite");
}

CODEC_DEFINE_BODY(search_request, wire_search_request, search_request, SEARCH_REQUEST,
                  QNODE__V1__SEARCH_REQUEST__INIT)

/* ---- SearchAnswer ---- */

static void refusal_decode(struct codec *codec, const wire_refusal *from, struct refusal *to)
{
    (void)codec;
    CODEC_COPY(index);
    CODEC_COPY(moved_to);
    to->status = (enum qn_status)from->status;
}

static void refusal_encode(struct codec *codec, const struct refusal *from, wire_refusal *to)
{
    (void)codec;
    *to = (wire_refusal)QNODE__V1__REFUSAL__INIT;
    CODEC_COPY(index);
    CODEC_COPY(moved_to);
    to->status = (Qnode__V1__Status)from->status;
}

CODEC_DEFINE_LIST(refusal, struct refusal, wire_refusal)

static void epoch_decode(struct codec *codec, const wire_epoch *from, struct qn_epoch *to)
{
    (void)codec;
    *to = codec_epoch_decode(from);
}

static void epoch_encode(struct codec *codec, const struct qn_epoch *from, wire_epoch *to)
{
    (void)codec;
    *to = (wire_epoch)QNODE__V1__EPOCH__INIT;
    CODEC_COPY(term);
    CODEC_COPY(version);
}

CODEC_DEFINE_LIST(epoch, struct qn_epoch, wire_epoch)

static void hits_decode(struct codec *codec, const wire_search_answer *from,
                        struct search_answer *to)
{
    if (from->n_primary_keys != from->n_distances) {
        codec_fail(codec, "distances", "%zu, but %zu primary_keys", from->n_distances,
                   from->n_primary_keys);
        return;
    }
    struct qn_hit *hits = codec_alloc(codec, from->n_primary_keys, sizeof *hits);
    for (size_t i = 0; hits != NULL && i < from->n_primary_keys; i++)
        hits[i] = (struct qn_hit){from->primary_keys[i], from->distances[i]};
    to->hits = hits;
    to->hits_count = from->n_primary_keys;
}

static void hits_encode(struct codec *codec, const struct search_answer *from,
                        wire_search_answer *to)
{
    to->primary_keys = codec_alloc(codec, from->hits_count, sizeof *to->primary_keys);
    to->distances = codec_alloc(codec, from->hits_count, sizeof *to->distances);
    if (to->primary_keys == NULL || to->distances == NULL)
        return;
    for (size_t i = 0; i < from->hits_count; i++) {
        to->primary_keys[i] = from->hits[i].primary_key;
        to->distances[i] = from->hits[i].distance;
    }
    to->n_primary_keys = from->hits_count;
    to->n_distances = from->hits_count;
}

static void search_answer_decode(struct codec *codec, const wire_search_answer *from,
                                 struct search_answer *to)
{
    CODEC_COPY(text);
    CODEC_COPY(part);
    CODEC_COPY(parts);
    CODEC_COPY(first_query);
    CODEC_COPY(hit_counts);
    CODEC_COPY(queue_us);
    CODEC_COPY(search_us);
    to->status = (enum qn_status)from->status;
    to->covered = from->covered.data;
    to->covered_bytes = from->covered.len;
    to->epochs = epoch_list_decode(codec, from->epochs, from->n_epochs);
    to->epochs_count = from->n_epochs;
    to->refused = refusal_list_decode(codec, from->refused, from->n_refused);
    to->refused_count = from->n_refused;
    to->hit_counts_count = from->n_hit_counts;
    hits_decode(codec, from, to);
    codec_check_text(codec, "text", to->text);
}

static void search_answer_encode(struct codec *codec, const struct search_answer *from,
                                 wire_search_answer *to)
{
    CODEC_COPY(part);
    CODEC_COPY(parts);
    CODEC_COPY(first_query);
    CODEC_COPY(queue_us);
    CODEC_COPY(search_us);
    to->status = (Qnode__V1__Status)from->status;
    to->text = codec_text_encode(codec, from->text);
    to->covered.data = (uint8_t *)from->covered;
    to->covered.len = from->covered_bytes;
    to->epochs = epoch_list_encode(codec, from->epochs, from->epochs_count);
    to->n_epochs = from->epochs_count;
    to->refused = refusal_list_encode(codec, from->refused, from->refused_count);
    to->n_refused = from->refused_count;
    to->hit_counts = (uint32_t *)from->hit_counts;
    to->n_hit_counts = from->hit_counts_count;
    hits_encode(codec, from, to);
}

static void check_covered(struct codec *codec, const struct search_answer *answer)
{
    size_t covered = 0;

    codec_check_range(codec, "covered", answer->covered_bytes, 0,
                      LIMIT_SEGMENTS_PER_REQUEST_MAX / 8);
    if (codec->status != QN_STATUS_OK)
        return;
    for (size_t i = 0; i < answer->covered_bytes; i++)
        covered += (size_t)__builtin_popcount(answer->covered[i]);
    if (covered != answer->epochs_count)
        codec_fail(codec, "epochs", "%zu, but %zu covered", answer->epochs_count, covered);
}

static void check_hits(struct codec *codec, const struct search_answer *answer)
{
    uint64_t hits = 0;

    codec_check_range(codec, "first_query", answer->first_query, 0, LIMIT_QUERIES_PER_REQUEST_MAX);
    codec_check_range(codec, "hit_counts", answer->hit_counts_count, 0,
                      LIMIT_QUERIES_PER_REQUEST_MAX - (uint64_t)answer->first_query);
    codec_check_range(codec, "primary_keys", answer->hits_count, 0, LIMIT_HITS_PER_REQUEST_MAX);
    if (codec->status != QN_STATUS_OK)
        return;
    for (size_t i = 0; i < answer->hit_counts_count; i++) {
        codec_check_range(codec, "hit_counts", answer->hit_counts[i], 0, LIMIT_K_MAX);
        hits += answer->hit_counts[i];
    }
    if (hits != answer->hits_count)
        codec_fail(codec, "primary_keys", "%zu, but hit_counts add up to %llu", answer->hits_count,
                   (unsigned long long)hits);
}

static void search_answer_check(struct codec *codec, const struct search_answer *answer)
{
    codec_check_status(codec, answer->status);
    codec_check_range(codec, "parts", answer->parts, 1, LIMIT_QUERIES_PER_REQUEST_MAX);
    codec_check_range(codec, "part", answer->part, 0,
                      answer->parts == 0 ? 0 : (uint64_t)answer->parts - 1);
    check_covered(codec, answer);
    check_hits(codec, answer);
    if (!codec_check_list(codec, "search_answer.refused", answer->refused_count,
                          LIMIT_SEGMENTS_PER_REQUEST_MAX))
        return;
    for (size_t i = 0; i < answer->refused_count; i++) {
        codec_at(codec, "search_answer.refused", i);
        codec_check_range(codec, "index", answer->refused[i].index, 0,
                          LIMIT_SEGMENTS_PER_REQUEST_MAX - 1);
        codec_check_status(codec, answer->refused[i].status);
    }
}

CODEC_DEFINE_BODY(search_answer, wire_search_answer, search_answer, SEARCH_ANSWER,
                  QNODE__V1__SEARCH_ANSWER__INIT)
