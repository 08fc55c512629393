/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing index sections: any bytes are refused or searched, and no search leaves its memory. The
 * first four bytes choose rows, dim, metric, floats or halves, and what is asked; the rest is the
 * section, whose length is mended, so that the fuzzer gets past it. */
#include "base/check.h"
#include "segstore/index.h"
#include "segstore/search.h"
#include <stdlib.h>
#include <string.h>

enum { AT_BYTES = 24, K = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void search(const struct segment *segment, uint8_t asked)
{
    const uint32_t dim = segment->facts.dim;
    struct search_options options = {.k = K, .recall = (float)(asked % 8) / 8, .refine = asked};
    struct search_queries queries;
    uint64_t storage[64];
    struct topk topk;
    float *query = calloc(dim, sizeof *query);

    options.nprobe = options.ef = asked % 3 == 0 ? asked : 0;
    CHECK(query != NULL && topk_bytes(K) <= sizeof storage);
    for (uint32_t d = 0; d < dim; d++)
        query[d] = (float)((int)(d + asked) % 7 - 3);
    options.scratch =
        aligned_alloc(64, (search_scratch_bytes(segment, &options, 1) + 127) / 64 * 64);
    CHECK(options.scratch != NULL);
    topk_init(&topk, segment->facts.metric, K, storage);
    search_queries_init(&queries, dim, 1, query, NULL);
    CHECK(search_segment(segment, &queries, &options, &topk) == QN_STATUS_OK);
    free(options.scratch);
    free(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct qn_error error = {0};

    if (size < 4 + SECTION_HEADER_BYTES)
        return 0;
    struct segment segment = {.facts = {.rows_count = bytes[0],
                                        .dim = 1U + bytes[1] % 40,
                                        .metric = (enum qn_metric)(1 + bytes[2] % 3)}};
    const size_t section_bytes = (size - 4) / 64 * 64;
    uint8_t *section = aligned_alloc(64, section_bytes);
    float *rows = calloc((size_t)bytes[0] * segment.facts.dim + 1, sizeof *rows);
    int64_t *keys = calloc(bytes[0] + 1U, sizeof *keys);

    CHECK(section != NULL && rows != NULL && keys != NULL);
    memcpy(section, bytes + 4, section_bytes);
    for (int i = 0; i < 8; i++)
        section[AT_BYTES + i] = (uint8_t)((uint64_t)section_bytes >> 8 * i);
    for (unsigned i = 0; i < bytes[0]; i++)
        keys[i] = i;
    segment.primary_keys = keys;
    if (bytes[2] < 128)
        segment.rows = rows;
    else
        segment.rows16 = (const uint16_t *)(void *)rows;
    if (index_open(section, section_bytes, &segment.facts, &segment.index, &error) == QN_STATUS_OK)
        search(&segment, bytes[3]);
    else
        CHECK(strstr(error.text, "section index: ") == error.text);
    free(section);
    free(rows);
    free(keys);
    return 0;
}
