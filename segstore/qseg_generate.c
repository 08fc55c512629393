/* SPDX-License-Identifier: Apache-2.0
 * Synthetic vectors. "clustered" has what real embeddings have: clusters of uneven size and few
 * latent dimensions. A centre is drawn from N(0, I) in 24 latent dimensions, its weight falls as
 * rank^-0.7; a row is centre + 0.55 s noise with s in [0.6, 1.4], mapped to dim by a random matrix,
 * plus 0.12 noise. Centres and matrix come from the seed, rows from seed and stream: queries are
 * another stream of the same seed. */
#include "segstore/qseg.h"

#include "base/check.h"
#include "base/prng.h"
#include "segstore/bytes.h"
#include "segstore/writer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LATENT_MAX = 24, CLUSTERS_MAX = 1 << 20, ROWS_PER_WRITE_BYTES = 1 << 20 };

struct generate {
    const char *kind, *out;
    uint64_t rows, dim, seed, stream, clusters;
    /* the model of "clustered" */
    unsigned latent;
    float *centres;  /* clusters x latent */
    float *matrix;   /* latent x dim */
    double *weights; /* cumulative, clusters */
};

static void model_done(struct generate *generate)
{
    free(generate->centres);
    free(generate->matrix);
    free(generate->weights);
}

static bool model_init(struct generate *generate)
{
    struct prng prng;
    double sum = 0;

    generate->latent = generate->dim < LATENT_MAX ? (unsigned)generate->dim : LATENT_MAX;
    generate->centres = calloc(generate->clusters * generate->latent, sizeof(float));
    generate->matrix = calloc(generate->latent * generate->dim, sizeof(float));
    generate->weights = calloc(generate->clusters, sizeof(double));
    if (generate->centres == NULL || generate->matrix == NULL || generate->weights == NULL)
        return false;
    prng_init(&prng, generate->seed);
    for (size_t i = 0; i < generate->clusters * generate->latent; i++)
        generate->centres[i] = (float)prng_normal(&prng);
    for (size_t i = 0; i < generate->latent * generate->dim; i++)
        generate->matrix[i] = (float)(prng_normal(&prng) / sqrt(generate->latent));
    for (size_t i = 0; i < generate->clusters; i++)
        generate->weights[i] = sum += pow((double)i + 1, -0.7);
    return true;
}

/* The first cluster whose cumulative weight reaches the drawn one. */
static size_t draw_cluster(const struct generate *generate, struct prng *prng)
{
    double drawn = prng_unit(prng) * generate->weights[generate->clusters - 1];
    size_t low = 0, high = generate->clusters - 1;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (generate->weights[middle] < drawn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void clustered_row(const struct generate *generate, struct prng *prng, float *ret_row)
{
    const float *centre = generate->centres + draw_cluster(generate, prng) * generate->latent;
    double spread = 0.55 * (0.6 + 0.8 * prng_unit(prng));
    float latent[LATENT_MAX];

    for (unsigned i = 0; i < generate->latent; i++)
        latent[i] = centre[i] + (float)(spread * prng_normal(prng));
    for (size_t d = 0; d < generate->dim; d++)
        ret_row[d] = (float)(0.12 * prng_normal(prng));
    for (unsigned i = 0; i < generate->latent; i++)
        for (size_t d = 0; d < generate->dim; d++)
            ret_row[d] += latent[i] * generate->matrix[i * generate->dim + d];
}

static void make_row(const struct generate *generate, struct prng *prng, float *ret_row)
{
    if (generate->centres != NULL) {
        clustered_row(generate, prng, ret_row);
        return;
    }
    for (size_t d = 0; d < generate->dim; d++)
        ret_row[d] = (float)(2 * prng_unit(prng) - 1);
}

static enum qn_status write_rows(const struct generate *generate, struct writer_sink sink,
                                 struct qn_error *error)
{
    size_t row_bytes = generate->dim * sizeof(float);
    size_t batch = ROWS_PER_WRITE_BYTES / row_bytes;
    float *rows = malloc(batch * row_bytes);
    struct qseg_progress progress = qseg_progress_start("generate", generate->rows);
    enum qn_status status = QN_STATUS_OK;
    struct prng prng;

    CHECK(rows != NULL);
    prng_init(&prng, generate->seed ^ (generate->stream + 1) * UINT64_C(0xd1342543de82ef95));
    for (uint64_t done = 0; status == QN_STATUS_OK && done < generate->rows; done += batch) {
        size_t part = generate->rows - done < batch ? generate->rows - done : batch;
        for (size_t i = 0; i < part; i++)
            make_row(generate, &prng, rows + i * generate->dim);
        status = sink.write_at(sink.self, 8 + done * row_bytes, rows, part * row_bytes, error);
        qseg_progress_tell(&progress, done);
    }
    qseg_progress_tell(&progress, generate->rows);
    free(rows);
    return status;
}

static enum qn_status write_fbin(const struct generate *generate, struct qn_error *error)
{
    struct writer_file *file = NULL;
    uint8_t head[8];
    enum qn_status status = writer_file_open(generate->out, &file, error);

    if (status != QN_STATUS_OK)
        return status;
    struct writer_sink sink = writer_file_sink(file);
    bytes_put_u32(head, (uint32_t)generate->rows);
    bytes_put_u32(head + 4, (uint32_t)generate->dim);
    status = sink.write_at(sink.self, 0, head, sizeof head, error);
    if (status == QN_STATUS_OK)
        status = write_rows(generate, sink, error);
    if (status == QN_STATUS_OK)
        status = writer_file_commit(file, error);
    writer_file_free(file);
    return status;
}

static int check_usage(const struct generate *generate, size_t files_count)
{
    const char *verb = "generate";

    if (files_count > 0)
        return qseg_usage(verb, "no files are wanted");
    if (generate->out == NULL || generate->dim == 0)
        return qseg_usage(verb, "--rows, --dim and --out are needed");
    if (generate->rows > UINT32_MAX || generate->dim > LIMIT_DIM_MAX)
        return qseg_usage(verb, "at most %u rows, dim %d", UINT32_MAX, LIMIT_DIM_MAX);
    if (generate->clusters < 1 || generate->clusters > CLUSTERS_MAX)
        return qseg_usage(verb, "--clusters: 1 to %d", CLUSTERS_MAX);
    if (strcmp(generate->kind, "clustered") != 0 && strcmp(generate->kind, "uniform") != 0)
        return qseg_usage(verb, "--kind %s: clustered or uniform", generate->kind);
    return 0;
}

int qseg_generate(int argc, char **argv)
{
    struct generate generate = {.kind = "clustered", .seed = 1, .clusters = 1024};
    const struct qseg_option options[] = {
        {"--kind", QSEG_TEXT, &generate.kind, "clustered (default) or uniform in [-1, 1)"},
        {"--rows", QSEG_COUNT, &generate.rows, "how many"},
        {"--dim", QSEG_COUNT, &generate.dim, "values per row"},
        {"--seed", QSEG_COUNT, &generate.seed, "names the data (default 1)"},
        {"--stream", QSEG_COUNT, &generate.stream, "other rows of the same data (default 0)"},
        {"--clusters", QSEG_COUNT, &generate.clusters, "of clustered (default 1024)"},
        {"--out", QSEG_TEXT, &generate.out, "the .fbin file to write"},
    };
    struct qseg_arguments arguments = {
        .synopsis = "--rows N --dim D --out F.fbin [OPTION]...",
        .examples = "  qseg generate --rows 100000 --dim 128 --seed 7 --out base.fbin\n"
                    "  qseg generate --rows 1000 --dim 128 --seed 7 --stream 1 --out query.fbin\n",
        .options = options,
        .options_count = COUNT_OF(options),
    };
    struct qn_error error = {0};
    int exit_code = 0;

    if (!qseg_parse(argc, argv, &arguments, &exit_code))
        return exit_code;
    exit_code = check_usage(&generate, arguments.files_count);
    if (exit_code != 0)
        return exit_code;
    if (strcmp(generate.kind, "clustered") == 0)
        CHECK(model_init(&generate));
    if (write_fbin(&generate, &error) != QN_STATUS_OK)
        exit_code = qseg_fail(&error);
    model_done(&generate);
    return exit_code;
}
