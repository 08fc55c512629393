/* SPDX-License-Identifier: Apache-2.0
 * A group of queries at a time. First the best lists of each, by the codes of the lists' centres;
 * then list after list, its codes against all queries that want it, so that bytes and their
 * unpacking are paid once; then the best of the estimates by the rows themselves. Distances that
 * are told are those of FORMAT.md, to the bit; only which rows are looked at is an estimate. What
 * a query finds does not depend on the others of its group. */
#include "segstore/ivf.h"

#include "base/limits.h"
#include "segstore/format.h"
#include "segstore/ivf_best.h"
#include "segstore/kernels/kernels.h"
#include <math.h>
#include <string.h>

enum {
    GROUP_MAX = 256,       /* queries */
    GROUP_BYTES = 4 << 20, /* of what a group needs: about as much */
    SAMPLE_STEP = 16,      /* one block of centres of so many is looked at for a first bound */
    SAMPLE_MARGIN = 6,
    SORTED_MAX = 256,  /* lists that are worth putting in order */
    CODES_PER_ROW = 4, /* that take as long */
    STEP_ROWS = IVF_STEP_BLOCKS * LIMIT_BLOCK_ROWS,
    LINE_BYTES = 64,
    FETCH_BYTES = 2 << 10,
};

/* A query wants a list. */
struct probe {
    uint32_t asker, list;
    float score; /* of the list's centre */
};

struct asker {
    const float *row;
    struct topk *topk;
    const int8_t *codes; /* code_dims */
    float scale;
    int32_t sum; /* of the codes */
    struct ivf_best best;
};

struct ivf {
    struct scan *scan;
    const struct ivf_section *index;
    uint32_t nprobe, refine;
    uint32_t group; /* queries at a time, at most */
    uint32_t nq;    /* of the group under way */
    struct asker *askers;
    struct probe *probes; /* group x nprobe: query after query, */
    struct probe *sorted; /* and list after list */
    uint32_t *ends;       /* lists: of their probes */
    struct ivf_best lists[KERNEL_CODE_QUERIES];
    float *estimates; /* KERNEL_CODE_QUERIES x STEP_ROWS */
    uint16_t *masks;  /* KERNEL_CODE_QUERIES x IVF_STEP_BLOCKS */
};

/* Codes of rows that follow each other: of lists' centres, or of a list. */
struct run {
    const struct ivf_codes *codes;
    uint32_t code_bits;
    uint64_t block, blocks_count;
    uint64_t first_number, rows_count; /* what the first row is called; how many there are */
};

/* Queries that the same codes are compared with. */
struct wave {
    uint32_t count;
    const struct asker *askers[KERNEL_CODE_QUERIES];
    float scores[KERNEL_CODE_QUERIES]; /* of the list's centre */
    struct ivf_best *bests[KERNEL_CODE_QUERIES];
};

enum part { ASKERS, PROBES, SORTED, ENDS, LISTS, ESTIMATES, MASKS, CODES, ITEMS, PARTS_COUNT };

static void settle(struct ivf *ivf, const struct ivf_section *index,
                   const struct search_options *options, uint32_t nq)
{
    const uint32_t lists_count = index->shape.lists_count;

    ivf->index = index;
    ivf->refine = options->refine > options->k ? options->refine : options->k;
    ivf->refine = ivf->refine < LIMIT_REFINE_MAX ? ivf->refine : LIMIT_REFINE_MAX;
    ivf->nprobe = options->nprobe < lists_count ? options->nprobe : lists_count;
    const size_t each =
        ivf_best_capacity(ivf->refine) * sizeof(uint64_t) + 2 * ivf->nprobe * sizeof(struct probe);
    const size_t most = GROUP_BYTES / each + 1;
    ivf->group = most < GROUP_MAX ? (uint32_t)most : GROUP_MAX;
    ivf->group = nq < ivf->group ? nq : ivf->group;
}

/* offsets[PARTS_COUNT] is the end. */
static void lay_out(const struct ivf *ivf, size_t offsets[PARTS_COUNT + 1])
{
    const size_t group = ivf->group;
    const size_t wave = group < KERNEL_CODE_QUERIES ? group : KERNEL_CODE_QUERIES;
    const size_t bytes[PARTS_COUNT] = {
        [ASKERS] = group * sizeof(struct asker),
        [PROBES] = group * ivf->nprobe * sizeof(struct probe),
        [SORTED] = group * ivf->nprobe * sizeof(struct probe),
        [ENDS] = ivf->index->shape.lists_count * sizeof(uint32_t),
        [LISTS] = wave * ivf_best_capacity(ivf->nprobe) * sizeof(uint64_t),
        [ESTIMATES] = wave * STEP_ROWS * sizeof(float),
        [MASKS] = wave * IVF_STEP_BLOCKS * sizeof(uint16_t),
        [CODES] = group * ivf->index->code_dims,
        [ITEMS] = group * ivf_best_capacity(ivf->refine) * sizeof(uint64_t),
    };

    offsets[0] = 0;
    for (int i = 0; i < PARTS_COUNT; i++)
        offsets[i + 1] = offsets[i] + section_round_up(bytes[i], SECTION_ALIGNMENT);
}

size_t ivf_scratch_bytes(const struct ivf_section *index, const struct search_options *options,
                         uint32_t nq)
{
    size_t offsets[PARTS_COUNT + 1];
    struct ivf ivf;

    settle(&ivf, index, options, nq);
    lay_out(&ivf, offsets);
    return offsets[PARTS_COUNT];
}

static void lay(struct ivf *ivf, unsigned char *place)
{
    size_t offsets[PARTS_COUNT + 1];

    lay_out(ivf, offsets);
    ivf->askers = (struct asker *)(void *)(place + offsets[ASKERS]);
    ivf->sorted = (struct probe *)(void *)(place + offsets[SORTED]);
    ivf->ends = (uint32_t *)(void *)(place + offsets[ENDS]);
    ivf->probes = (struct probe *)(void *)(place + offsets[PROBES]);
    ivf->estimates = (float *)(void *)(place + offsets[ESTIMATES]);
    ivf->masks = (uint16_t *)(void *)(place + offsets[MASKS]);
    for (size_t i = 0; i < KERNEL_CODE_QUERIES && i < ivf->group; i++)
        ivf->lists[i].items =
            (uint64_t *)(void *)(place + offsets[LISTS]) + i * ivf_best_capacity(ivf->nprobe);
    for (size_t i = 0; i < ivf->group; i++) {
        ivf->askers[i].codes = (const int8_t *)place + offsets[CODES] + i * ivf->index->code_dims;
        ivf->askers[i].best.items =
            (uint64_t *)(void *)(place + offsets[ITEMS]) + i * ivf_best_capacity(ivf->refine);
    }
}

static void encode(const struct ivf *ivf, struct asker *asker)
{
    const uint32_t dim = ivf->index->shape.dim, code_dims = ivf->index->code_dims;
    int8_t *codes = (int8_t *)(uintptr_t)asker->codes;
    float largest = 0;

    for (uint32_t d = 0; d < dim; d++)
        largest = fmaxf(largest, fabsf(asker->row[d]));
    asker->scale = largest / 127;
    const float inverse = largest > 0 ? 127 / largest : 0;
    asker->sum = 0;
    for (uint32_t d = 0; d < code_dims; d++) {
        codes[d] = d < dim ? (int8_t)lrintf(asker->row[d] * inverse) : 0;
        asker->sum += codes[d];
    }
}

/* At most IVF_STEP_BLOCKS of a run. */
static void compare(const struct ivf *ivf, const struct run *run, const struct wave *wave)
{
    const struct kernels *kernels = kernels_current();
    const int32_t top = run->code_bits == 4 ? 15 : 127;
    const uint64_t row = run->block * LIMIT_BLOCK_ROWS;
    struct kernel_code_query queries[KERNEL_CODE_QUERIES];

    for (uint32_t i = 0; i < wave->count; i++)
        queries[i] = (struct kernel_code_query){
            .codes = wave->askers[i]->codes,
            .centre = top * wave->askers[i]->sum / 2,
            .base = wave->scores[i],
            .scale = wave->askers[i]->scale,
            .bound = wave->bests[i]->bound,
            .ret_estimates = ivf->estimates + (size_t)i * STEP_ROWS,
            .ret_masks = ivf->masks + (size_t)i * IVF_STEP_BLOCKS,
        };
    (run->code_bits == 4 ? kernels->codes4 : kernels->codes8)(&(struct kernel_codes){
        .codes = run->codes->codes + run->block * ivf_block_bytes(ivf->index, run->code_bits),
        .scales = run->codes->scales + row,
        .terms = run->codes->terms != NULL ? run->codes->terms + row : NULL,
        .dims = ivf->index->code_dims,
        .blocks_count = run->blocks_count,
        .queries_count = wave->count,
        .queries = queries,
    });
    for (uint32_t i = 0; i < wave->count; i++)
        ivf_best_take(wave->bests[i], &(struct ivf_estimates){
                                          .estimates = ivf->estimates + (size_t)i * STEP_ROWS,
                                          .masks = ivf->masks + (size_t)i * IVF_STEP_BLOCKS,
                                          .blocks_count = run->blocks_count,
                                          .first_number = run->first_number,
                                          .rows_left = run->rows_count,
                                      });
}

static void scan_run(const struct ivf *ivf, const struct run *run, const struct wave *wave)
{
    struct run step = *run;

    for (uint64_t at = 0; at < run->blocks_count; at += IVF_STEP_BLOCKS) {
        const uint64_t rest = run->blocks_count - at, row = at * LIMIT_BLOCK_ROWS;
        step.block = run->block + at;
        step.blocks_count = rest < IVF_STEP_BLOCKS ? rest : IVF_STEP_BLOCKS;
        step.first_number = run->first_number + row;
        step.rows_count = run->rows_count - row;
        compare(ivf, &step, wave);
    }
}

static struct run centres_run(const struct ivf *ivf)
{
    return (struct run){
        .codes = &ivf->index->centres,
        .code_bits = IVF_CENTRE_BITS,
        .blocks_count = ivf_centre_blocks(&ivf->index->shape),
        .rows_count = ivf->index->shape.lists_count,
    };
}

/* Bounds that most likely a few more than nprobe lists reach, by some of the lists. */
static void sample_lists(struct ivf *ivf, struct wave *wave)
{
    const uint32_t keep = ivf->nprobe / SAMPLE_STEP + SAMPLE_MARGIN;
    struct run run = centres_run(ivf);
    const uint64_t blocks_count = run.blocks_count, lists_count = run.rows_count;

    if (lists_count < (uint64_t)2 * SAMPLE_STEP * keep)
        return;
    for (uint32_t i = 0; i < wave->count; i++)
        wave->bests[i]->keep = keep;
    run.blocks_count = 1;
    for (run.block = 0; run.block < blocks_count; run.block += SAMPLE_STEP) {
        run.rows_count = lists_count - run.block * LIMIT_BLOCK_ROWS;
        compare(ivf, &run, wave);
    }
    for (uint32_t i = 0; i < wave->count; i++) {
        ivf_best_cut(wave->bests[i]);
        wave->bests[i]->keep = ivf->nprobe;
        wave->bests[i]->count = 0;
    }
}

/* Into ivf->lists, of the askers from `first` on; how many askers. */
static uint32_t choose_lists(struct ivf *ivf, uint32_t first)
{
    const struct run run = centres_run(ivf);
    struct wave wave = {.count = ivf->nq - first < KERNEL_CODE_QUERIES ? ivf->nq - first
                                                                       : KERNEL_CODE_QUERIES};
    bool is_short = false;

    for (uint32_t i = 0; i < wave.count; i++) {
        wave.askers[i] = &ivf->askers[first + i];
        wave.bests[i] = &ivf->lists[i];
        ivf_best_init(&ivf->lists[i], ivf->nprobe, ivf->lists[i].items);
    }
    sample_lists(ivf, &wave);
    scan_run(ivf, &run, &wave);
    for (uint32_t i = 0; i < wave.count; i++)
        is_short |= ivf->lists[i].count < ivf->nprobe;
    if (is_short) {
        for (uint32_t i = 0; i < wave.count; i++)
            ivf_best_init(&ivf->lists[i], ivf->nprobe, ivf->lists[i].items);
        scan_run(ivf, &run, &wave);
    }
    for (uint32_t i = 0; i < wave.count; i++)
        ivf_best_cut(&ivf->lists[i]);
    return wave.count;
}

/* False when the deadline passed. */
static bool scan_list(struct ivf *ivf, uint32_t list, const struct wave *wave)
{
    const struct ivf_section *index = ivf->index;
    const struct run run = {
        .codes = &index->rows,
        .code_bits = index->shape.code_bits,
        .block = index->first_blocks[list],
        .blocks_count = index->first_blocks[list + 1] - index->first_blocks[list],
        .first_number = index->first_rows[list],
        .rows_count = index->first_rows[list + 1] - index->first_rows[list],
    };

    scan_run(ivf, &run, wave);
    return !scan_must_stop(ivf->scan,
                           run.rows_count * index->shape.dim * wave->count / CODES_PER_ROW);
}

/* What a list begins with comes while another is looked at; then the machine goes on by itself. */
static void fetch_list(const struct ivf *ivf, uint32_t list)
{
    const struct ivf_section *index = ivf->index;
    const uint64_t block = index->first_blocks[list];
    const size_t block_bytes = ivf_block_bytes(index, index->shape.code_bits);
    const size_t bytes = (index->first_blocks[list + 1] - block) * block_bytes;
    const char *codes = (const char *)index->rows.codes + block * block_bytes;
    const char *scales = (const char *)(index->rows.scales + block * LIMIT_BLOCK_ROWS);

    for (size_t at = 0; at < bytes && at < FETCH_BYTES; at += LINE_BYTES)
        __builtin_prefetch(codes + at);
    for (size_t at = 0; at < bytes / 8 && at < FETCH_BYTES / 8; at += LINE_BYTES)
        __builtin_prefetch(scales + at);
}

/* One query: the best lists come first, so that few estimates pass the bound. */
static bool scan_alone(struct ivf *ivf)
{
    struct ivf_best *lists = &ivf->lists[0];
    struct wave wave = {.count = 1, .askers = {&ivf->askers[0]}, .bests = {&ivf->askers[0].best}};

    (void)choose_lists(ivf, 0);
    if (ivf->nprobe <= SORTED_MAX)
        ivf_best_sort(lists);
    for (uint32_t i = 0; i < lists->count; i++) {
        wave.scores[0] = ivf_best_estimate(lists->items[i]);
        if (i + 1 < lists->count)
            fetch_list(ivf, ivf_best_number(lists->items[i + 1]));
        if (!scan_list(ivf, ivf_best_number(lists->items[i]), &wave))
            return false;
    }
    return true;
}

/* A query's best list is looked at at once: its best rows are a bound for the others. */
static bool scan_first(struct ivf *ivf, struct asker *asker, struct ivf_best *lists)
{
    struct wave wave = {.count = 1, .askers = {asker}, .bests = {&asker->best}};
    uint32_t first = 0;

    for (uint32_t i = 1; i < lists->count; i++)
        first = lists->items[i] > lists->items[first] ? i : first;
    const uint64_t item = lists->items[first];
    lists->items[first] = lists->items[--lists->count];
    wave.scores[0] = ivf_best_estimate(item);
    return scan_list(ivf, ivf_best_number(item), &wave);
}

/* The others; false when the deadline passed. */
static bool want_lists(struct ivf *ivf, uint32_t *ret_count)
{
    uint32_t probes_count = 0;

    for (uint32_t first = 0, count = 0; first < ivf->nq; first += count) {
        count = choose_lists(ivf, first);
        for (uint32_t i = 0; i < count; i++) {
            struct ivf_best *lists = &ivf->lists[i];
            if (!scan_first(ivf, &ivf->askers[first + i], lists))
                return false;
            for (uint32_t j = 0; j < lists->count; j++)
                ivf->probes[probes_count++] =
                    (struct probe){first + i, ivf_best_number(lists->items[j]),
                                   ivf_best_estimate(lists->items[j])};
        }
    }
    *ret_count = probes_count;
    return true;
}

/* Counting sort. */
static void sort_probes(struct ivf *ivf, uint32_t probes_count)
{
    const uint32_t lists_count = ivf->index->shape.lists_count;
    uint32_t end = 0;

    memset(ivf->ends, 0, lists_count * sizeof *ivf->ends);
    for (uint32_t i = 0; i < probes_count; i++)
        ivf->ends[ivf->probes[i].list]++;
    for (uint32_t list = 0; list < lists_count; list++) {
        const uint32_t count = ivf->ends[list];
        ivf->ends[list] = end;
        end += count;
    }
    for (uint32_t i = 0; i < probes_count; i++)
        ivf->sorted[ivf->ends[ivf->probes[i].list]++] = ivf->probes[i];
}

static bool scan_together(struct ivf *ivf)
{
    uint32_t probes_count = 0;

    if (!want_lists(ivf, &probes_count))
        return false;
    sort_probes(ivf, probes_count);
    for (uint32_t at = 0; at < probes_count;) {
        const uint32_t list = ivf->sorted[at].list;
        struct wave wave = {.count = 0};
        for (;
             at < probes_count && ivf->sorted[at].list == list && wave.count < KERNEL_CODE_QUERIES;
             at++) {
            struct asker *asker = &ivf->askers[ivf->sorted[at].asker];
            wave.askers[wave.count] = asker;
            wave.bests[wave.count] = &asker->best;
            wave.scores[wave.count++] = ivf->sorted[at].score;
        }
        if (!scan_list(ivf, list, &wave))
            return false;
    }
    return true;
}

static const float *row_at(const struct ivf *ivf, uint64_t item)
{
    return ivf->scan->segment->rows + (size_t)ivf_best_number(item) * ivf->index->shape.dim;
}

static void fetch_rows(const struct ivf *ivf, struct asker *asker)
{
    const size_t row_bytes = ivf->index->shape.dim * sizeof(float);

    ivf_best_cut(&asker->best);
    for (uint32_t i = 0; i < asker->best.count; i++) {
        __builtin_prefetch(
            &ivf->scan->segment->primary_keys[ivf_best_number(asker->best.items[i])]);
        for (size_t at = 0; at < row_bytes; at += LINE_BYTES)
            __builtin_prefetch((const char *)row_at(ivf, asker->best.items[i]) + at);
    }
}

static void refine(const struct ivf *ivf, const struct asker *asker)
{
    const struct kernels *kernels = kernels_current();
    const struct segment *segment = ivf->scan->segment;
    const struct ivf_best *best = &asker->best;
    float distances[LIMIT_BLOCK_ROWS];
    struct kernel_rows job = {
        .query = asker->row, .dim = segment->facts.dim, .ret_distances = distances};

    for (uint32_t first = 0; first < best->count; first += LIMIT_BLOCK_ROWS) {
        const uint32_t rest = best->count - first;
        const uint32_t count = rest < LIMIT_BLOCK_ROWS ? rest : LIMIT_BLOCK_ROWS;
        job.rows_count = count;
        for (uint32_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
            job.rows[i] = row_at(ivf, best->items[first + (i < count ? i : 0)]);
        (segment->facts.metric == QN_METRIC_L2 ? kernels->l2_rows : kernels->ip_rows)(&job);
        for (uint32_t i = 0; i < count; i++)
            if (topk_wants(asker->topk, distances[i]))
                topk_push(
                    asker->topk,
                    (struct qn_hit){segment->primary_keys[ivf_best_number(best->items[first + i])],
                                    distances[i]});
    }
}

/* False when the deadline passed. */
static bool search_group(struct ivf *ivf, uint32_t first)
{
    const struct scan *scan = ivf->scan;

    for (uint32_t i = 0; i < ivf->nq; i++) {
        struct asker *asker = &ivf->askers[i];
        asker->row = scan->queries->rows + (size_t)(first + i) * ivf->index->shape.dim;
        asker->topk = &scan->topks[first + i];
        encode(ivf, asker);
        ivf_best_init(&asker->best, ivf->refine, asker->best.items);
    }
    if (!(ivf->nq == 1 ? scan_alone(ivf) : scan_together(ivf)))
        return false;
    fetch_rows(ivf, &ivf->askers[0]);
    for (uint32_t i = 0; i < ivf->nq; i++) {
        if (i + 1 < ivf->nq)
            fetch_rows(ivf, &ivf->askers[i + 1]);
        refine(ivf, &ivf->askers[i]);
    }
    return true;
}

enum qn_status ivf_search(struct scan *scan)
{
    const uint32_t nq = scan->queries->nq;
    struct ivf ivf = {.scan = scan};

    settle(&ivf, &scan->segment->index.ivf, scan->options, nq);
    lay(&ivf, scan->options->scratch);
    for (uint32_t first = 0; first < nq; first += ivf.nq) {
        ivf.nq = nq - first < ivf.group ? nq - first : ivf.group;
        if (!search_group(&ivf, first))
            return QN_STATUS_TIMEOUT;
    }
    return QN_STATUS_OK;
}
