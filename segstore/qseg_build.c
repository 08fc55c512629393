/* SPDX-License-Identifier: Apache-2.0
 * Vectors to one segment file, or to a folder of them with collection.json. Rows are streamed: the
 * memory is a few MiB whatever the input's size. */
#include "segstore/qseg_index.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "segstore/manifest.h"
#include "segstore/principal.h"
#include "segstore/vectors.h"
#include "segstore/writer.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH_BYTES = 1 << 20 };

struct build {
    const char *input, *metric_name, *index, *out, *out_dir, *name;
    enum qn_metric metric;
    int64_t collection_id, partition_id, segment_id, first_key;
    uint64_t rows_per_segment, delete_generation, readable_version;
    uint64_t nlist, code_bits, row_bits, degree, ef_construction, projected, seed, threads;
    double recall;
    bool json;

    struct vectors vectors;
    struct qseg_progress progress;
    size_t batch_rows;
    float *rows;   /* batch_rows x dim */
    int64_t *keys; /* batch_rows */
};

/* A part of the input that becomes one segment. */
struct part {
    const char *path;
    struct segment_facts facts;
    uint64_t first_row;
    struct choice choice;
};

static enum qn_status copy_rows(struct build *build, const struct part *part, struct writer *writer,
                                struct qn_error *error)
{
    for (uint64_t done = 0; done < part->facts.rows_count;) {
        uint64_t rest = part->facts.rows_count - done;
        size_t count = rest < build->batch_rows ? rest : build->batch_rows;
        uint64_t first = part->first_row + done;
        struct qn_error reason = {0};
        enum qn_status status = vectors_read(&build->vectors, first, count, build->rows, error);
        if (status != QN_STATUS_OK)
            return status;
        for (size_t i = 0; i < count; i++)
            build->keys[i] = build->first_key + (int64_t)(first + i);
        status = writer_append(writer, build->keys, build->rows, count, &reason);
        if (status == QN_STATUS_CORRUPT)
            return error_set(error, status, "%s: %s", build->input, reason.text);
        if (status != QN_STATUS_OK)
            return error_set(error, status, "%s", reason.text);
        done += count;
        qseg_progress_tell(&build->progress, first + count);
    }
    return QN_STATUS_OK;
}

static enum index_kind kind_of(const char *name)
{
    if (strcmp(name, "ivf") == 0)
        return INDEX_IVF;
    return strcmp(name, "graph") == 0 ? INDEX_GRAPH : INDEX_NONE;
}

static struct qseg_index index_of(struct build *build, const struct part *part)
{
    return (struct qseg_index){
        .options = {.kind = kind_of(build->index),
                    .recall = (float)build->recall,
                    .ivf = {.nlist = (uint32_t)build->nlist,
                            .code_bits = (uint32_t)build->code_bits},
                    .graph = {.degree = (uint32_t)build->degree,
                              .ef_construction = (uint32_t)build->ef_construction,
                              .projected = (uint32_t)build->projected},
                    .progress = qseg_progress_phases(&build->progress),
                    .seed = build->seed,
                    .threads = build->threads > 0 ? (unsigned)build->threads : parallel_cores()},
        .vectors = &build->vectors,
        .input = build->input,
        .first_row = part->first_row,
        .first_key = build->first_key,
        .row_bits = (uint32_t)build->row_bits};
}

static bool is_flat(const struct build *build, const struct segment_facts *facts)
{
    if (facts->rows_count == 0 || strcmp(build->index, "flat") == 0)
        return true;
    return strcmp(build->index, "auto") == 0 && choose_is_flat(facts->rows_count, facts->dim);
}

static enum qn_status build_flat(struct build *build, struct part *part, struct writer_file *file,
                                 struct qn_error *error)
{
    struct writer *writer = NULL;
    enum qn_status status = writer_open(&part->facts, writer_file_sink(file), &writer, error);

    if (status == QN_STATUS_OK) {
        writer_count_rows_from(writer, part->first_row);
        status = copy_rows(build, part, writer, error);
    }
    if (status == QN_STATUS_OK)
        status = writer_finish(writer, &part->facts, error);
    writer_free(writer);
    return status;
}

/* Writes the file of one part; part->facts is complete after it. */
static enum qn_status build_part(struct build *build, struct part *part, struct qn_error *error)
{
    const struct qseg_index index = index_of(build, part);
    struct writer_file *file = NULL;
    enum qn_status status = writer_file_open(part->path, &file, error);

    if (status == QN_STATUS_OK && is_flat(build, &part->facts))
        status = build_flat(build, part, file, error);
    else if (status == QN_STATUS_OK)
        status =
            qseg_index_build(&index, &part->facts, writer_file_sink(file), &part->choice, error);
    if (status == QN_STATUS_OK)
        status = writer_file_commit(file, error);
    writer_file_free(file);
    return status;
}

static struct part part_of(const struct build *build, uint64_t number, uint64_t first_row,
                           uint64_t rows_count)
{
    return (struct part){
        .facts = {.segment_id = build->segment_id + (int64_t)number,
                  .collection_id = build->collection_id,
                  .partition_id = build->partition_id,
                  .rows_count = rows_count,
                  .dim = build->vectors.dim,
                  .metric = build->metric,
                  .delete_generation = build->delete_generation},
        .first_row = first_row,
    };
}

/* Flat rows are not halved. */
static const char *told_bits(const struct build *build, const struct part *part)
{
    if (build->row_bits == 32)
        return "";
    return part->choice.kind == INDEX_NONE ? " (32-bit rows)" : " (16-bit rows)";
}

static void tell_part(const struct build *build, const struct part *part, struct doc *told)
{
    char hash[33];

    hash_to_text(&part->facts.content_hash, hash);
    if (!build->json) {
        (void)printf("%s: segment %" PRId64 ", %" PRIu64 " rows, %s%s, %" PRIu64
                     " resident bytes, %s\n",
                     part->path, part->facts.segment_id, part->facts.rows_count,
                     index_kind_name(part->choice.kind), told_bits(build, part),
                     part->facts.resident_bytes, hash);
        return;
    }
    struct doc *object = doc_object();
    doc_set_string(object, "path", part->path);
    doc_set_int(object, "segment_id", part->facts.segment_id);
    doc_set_int(object, "rows", (int64_t)part->facts.rows_count);
    doc_set_string(object, "index", index_kind_name(part->choice.kind));
    doc_set_int(object, "row_bits",
                part->choice.kind == INDEX_NONE ? 32 : (int64_t)build->row_bits);
    if (part->choice.intrinsic_dim > 0)
        doc_set_number(object, "intrinsic_dim", part->choice.intrinsic_dim);
    doc_set_int(object, "resident_bytes", (int64_t)part->facts.resident_bytes);
    doc_set_string(object, "content_hash", hash);
    doc_append(told, object);
}

static enum qn_status build_file(struct build *build, struct doc *told, struct qn_error *error)
{
    struct part part = part_of(build, 0, 0, build->vectors.rows_count);

    part.path = build->out;
    enum qn_status status = build_part(build, &part, error);
    if (status == QN_STATUS_OK)
        tell_part(build, &part, told);
    return status;
}

static enum qn_status build_segments(struct build *build, struct manifest *manifest,
                                     struct doc *told, struct qn_error *error)
{
    uint64_t rows_count = build->vectors.rows_count;

    for (uint64_t i = 0; i < manifest->segments_count; i++) {
        uint64_t first = i * build->rows_per_segment;
        uint64_t rest = rows_count - first;
        struct part part = part_of(build, i, first,
                                   rest < build->rows_per_segment ? rest : build->rows_per_segment);
        struct manifest_segment *segment = &manifest->segments[i];
        CHECK(asprintf(&segment->path, "%s/segment-%" PRId64 ".qseg", build->out_dir,
                       part.facts.segment_id) > 0);
        part.path = segment->path;
        enum qn_status status = build_part(build, &part, error);
        if (status != QN_STATUS_OK)
            return status;
        segment->segment_id = part.facts.segment_id;
        segment->partition_id = part.facts.partition_id;
        segment->state = QN_SEGMENT_SEALED;
        segment->rows_count = part.facts.rows_count;
        segment->resident_bytes = part.facts.resident_bytes;
        segment->delete_generation = part.facts.delete_generation;
        segment->content_hash = part.facts.content_hash;
        tell_part(build, &part, told);
    }
    return manifest_write(manifest, error);
}

static enum qn_status build_collection(struct build *build, struct doc *told,
                                       struct qn_error *error)
{
    uint64_t rows_count = build->vectors.rows_count;
    uint64_t segments_count =
        rows_count / build->rows_per_segment + (rows_count % build->rows_per_segment != 0);

    if (segments_count > LIMIT_SEGMENTS_PER_VIEW_MAX)
        return error_set(error, QN_STATUS_INVALID, "%" PRIu64 " segments, at most %d",
                         segments_count, LIMIT_SEGMENTS_PER_VIEW_MAX);
    if (mkdir(build->out_dir, 0777) < 0 && errno != EEXIST)
        return error_errno(error, errno, "%s: make folder", build->out_dir);
    struct manifest *manifest = calloc(1, sizeof *manifest);
    CHECK(manifest != NULL);
    manifest->collection_id = build->collection_id;
    manifest->name = strdup(build->name);
    manifest->folder = strdup(build->out_dir);
    manifest->metric = build->metric;
    manifest->dim = build->vectors.dim;
    manifest->readable_version = build->readable_version;
    manifest->segments = calloc(segments_count + 1, sizeof *manifest->segments);
    manifest->segments_count = segments_count;
    CHECK(manifest->name != NULL && manifest->folder != NULL && manifest->segments != NULL);
    enum qn_status status = build_segments(build, manifest, told, error);
    manifest_free(manifest);
    return status;
}

static int run_build(struct build *build)
{
    struct qn_error error = {0};

    if (vectors_open(build->input, &build->vectors, &error) != QN_STATUS_OK)
        return qseg_fail(&error);
    struct doc *told = doc_array();
    build->batch_rows = BATCH_BYTES / (build->vectors.dim * sizeof(float));
    build->rows = malloc(build->batch_rows * build->vectors.dim * sizeof(float));
    build->keys = calloc(build->batch_rows, sizeof *build->keys);
    CHECK(build->rows != NULL && build->keys != NULL);
    build->progress = qseg_progress_start("build", build->vectors.rows_count);
    enum qn_status status = build->out != NULL ? build_file(build, told, &error)
                                               : build_collection(build, told, &error);
    if (status == QN_STATUS_OK && build->json)
        doc_print(told);
    doc_free(told);
    free(build->rows);
    free(build->keys);
    vectors_close(&build->vectors);
    return status == QN_STATUS_OK ? 0 : qseg_fail(&error);
}

static int check_usage(struct build *build, size_t files_count)
{
    const char *verb = "build";
    int exit_code = 0;

    if (files_count > 0)
        return qseg_usage(verb, "the input is named by --input");
    if (build->input == NULL || (build->out == NULL) == (build->out_dir == NULL))
        return qseg_usage(verb, "--input and one of --out and --out-dir are needed");
    if (build->out_dir != NULL && (build->rows_per_segment == 0 || build->name == NULL))
        return qseg_usage(verb, "--out-dir needs --rows-per-segment and --name");
    if (build->name != NULL && (*build->name == '\0' || strlen(build->name) >= LIMIT_NAME_BYTES))
        return qseg_usage(verb, "--name: 1 to %d bytes", LIMIT_NAME_BYTES - 1);
    if (!qseg_metric(verb, build->metric_name, &build->metric, &exit_code))
        return exit_code;
    if (build->code_bits != 4 && build->code_bits != 8)
        return qseg_usage(verb, "--code-bits: 4 or 8");
    if (build->row_bits != 16 && build->row_bits != 32)
        return qseg_usage(verb, "--row-bits: 16 or 32");
    if (build->row_bits == 16 && strcmp(build->index, "flat") == 0)
        return qseg_usage(verb, "--row-bits 16: with --index ivf, graph or auto only");
    if (build->nlist > IVF_LISTS_MAX)
        return qseg_usage(verb, "--nlist: at most %d", IVF_LISTS_MAX);
    if (build->degree < 2 || build->degree > GRAPH_DEGREE_MAX)
        return qseg_usage(verb, "--degree: 2 to %d", GRAPH_DEGREE_MAX);
    if (build->ef_construction < 1 || build->ef_construction > GRAPH_EF_CONSTRUCTION_MAX)
        return qseg_usage(verb, "--ef-construction: 1 to %d", GRAPH_EF_CONSTRUCTION_MAX);
    if (build->projected != GRAPH_PROJECTED_OPEN && build->projected > PRINCIPAL_MAX)
        return qseg_usage(verb, "--projected: at most %d", PRINCIPAL_MAX);
    if (build->projected != GRAPH_PROJECTED_OPEN && kind_of(build->index) != INDEX_GRAPH)
        return qseg_usage(verb, "--projected: with --index graph only");
    if (strcmp(build->index, "flat") != 0 && strcmp(build->index, "auto") != 0 &&
        kind_of(build->index) == INDEX_NONE)
        return qseg_usage(verb, "--index %s: flat, ivf, graph or auto", build->index);
    return 0;
}

int qseg_build(int argc, char **argv)
{
    struct build build = {.index = "flat",
                          .collection_id = 1,
                          .segment_id = 1,
                          .readable_version = 1,
                          .code_bits = 4,
                          .row_bits = 32,
                          .degree = GRAPH_DEGREE,
                          .ef_construction = GRAPH_EF_CONSTRUCTION,
                          .projected = GRAPH_PROJECTED_OPEN,
                          .recall = 0.95};
    const struct qseg_option options[] = {
        {"--input", QSEG_TEXT, &build.input,
         "vectors: .fbin .u8bin .i8bin .f16bin .fvecs ... .npy"},
        {"--metric", QSEG_TEXT, &build.metric_name, "l2, ip or cosine (normalises the rows)"},
        {"--index", QSEG_TEXT, &build.index,
         "flat (default), ivf, graph; auto: what suits the rows"},
        {"--recall", QSEG_SHARE, &build.recall, "auto: that searches will want (default 0.95)"},
        {"--nlist", QSEG_COUNT, &build.nlist, "ivf: lists (default: by the number of rows)"},
        {"--code-bits", QSEG_COUNT, &build.code_bits, "ivf: of a row's code per dimension, 4 or 8"},
        {"--row-bits", QSEG_COUNT, &build.row_bits, "indexed: 32 (default), or 16: half floats"},
        {"--degree", QSEG_COUNT, &build.degree, "graph: links of a row (default 32)"},
        {"--ef-construction", QSEG_COUNT, &build.ef_construction,
         "graph: rows that are looked at for them (100)"},
        {"--projected", QSEG_COUNT, &build.projected,
         "graph: directions in a code (default: by the rows)"},
        {"--seed", QSEG_COUNT, &build.seed, "of what is random in an index (default 0)"},
        {"--threads", QSEG_COUNT, &build.threads, "that build an index (default: all cores)"},
        {"--collection", QSEG_ID, &build.collection_id, "collection id (default 1)"},
        {"--partition", QSEG_ID, &build.partition_id, "partition id (default 0)"},
        {"--segment", QSEG_ID, &build.segment_id, "(first) segment id (default 1)"},
        {"--first-key", QSEG_ID, &build.first_key, "primary key of the first row (default 0)"},
        {"--delete-generation", QSEG_COUNT, &build.delete_generation, "(default 0)"},
        {"--out", QSEG_TEXT, &build.out, "the one segment file to write"},
        {"--out-dir", QSEG_TEXT, &build.out_dir, "the folder of a whole collection"},
        {"--rows-per-segment", QSEG_COUNT, &build.rows_per_segment, "of a collection"},
        {"--name", QSEG_TEXT, &build.name, "of the collection"},
        {"--readable-version", QSEG_COUNT, &build.readable_version, "of it (default 1)"},
        {"--json", QSEG_FLAG, &build.json, "tell what was written as JSON (also: -o json)"},
    };
    struct qseg_arguments arguments = {
        .synopsis = "--input F --metric M --out F.qseg [OPTION]...\n"
                    "       qseg build --input F --metric M --out-dir DIR --name NAME\n"
                    "                  --rows-per-segment N [OPTION]...",
        .examples =
            "  qseg build --input base.fbin --metric l2 --segment 7 --out seven.qseg\n"
            "  qseg build --input base.fbin --metric cosine --collection 3 --name glove \\\n"
            "    --rows-per-segment 65536 --out-dir glove\n",
        .options = options,
        .options_count = COUNT_OF(options),
    };
    int exit_code = 0;

    if (!qseg_parse(argc, argv, &arguments, &exit_code))
        return exit_code;
    exit_code = check_usage(&build, arguments.files_count);
    return exit_code != 0 ? exit_code : run_build(&build);
}
