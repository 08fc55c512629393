/* SPDX-License-Identifier: Apache-2.0
 * inspect: the header; verify: every byte. A folder stands for the files of its manifest. */
#include "segstore/qseg.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "segstore/manifest.h"
#include "segstore/verify.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

typedef enum qn_status read_one(const struct files *files, const char *path,
                                struct format_header *ret_header, struct qn_error *error);

struct inspection {
    read_one *read;
    bool json, verify;
    struct doc *told;
    int exit_code; /* of the first that failed */
};

struct doc *qseg_header_doc(const char *path, const struct format_header *header)
{
    const struct segment_facts *facts = &header->facts;
    struct doc *object = doc_object(), *sections = doc_array();
    char text[33];

    doc_set_string(object, "path", path);
    doc_set_int(object, "segment_id", facts->segment_id);
    doc_set_int(object, "collection_id", facts->collection_id);
    doc_set_int(object, "partition_id", facts->partition_id);
    doc_set_int(object, "rows", (int64_t)facts->rows_count);
    doc_set_int(object, "dim", facts->dim);
    doc_set_string(object, "metric", qn_metric_name(facts->metric));
    doc_set_int(object, "row_bits", format_row_bits(header));
    doc_set_int(object, "delete_generation", (int64_t)facts->delete_generation);
    doc_set_int(object, "resident_bytes", (int64_t)facts->resident_bytes);
    doc_set_int(object, "file_bytes", (int64_t)header->file_bytes);
    hash_to_text(&facts->content_hash, text);
    doc_set_string(object, "content_hash", text);
    doc_set_int(object, "format_version", FORMAT_VERSION);
    doc_set_int(object, "compatible_flags", header->compatible_flags);
    doc_set_int(object, "incompatible_flags", header->incompatible_flags);
    for (uint32_t i = 0; i < header->sections_count; i++) {
        struct doc *section = doc_object();
        doc_set_string(section, "name", format_kind_name(header->sections[i].kind));
        doc_set_int(section, "kind", header->sections[i].kind);
        doc_set_bool(section, "resident",
                     (header->sections[i].flags & FORMAT_SECTION_RESIDENT) != 0);
        doc_set_int(section, "offset", (int64_t)header->sections[i].offset);
        doc_set_int(section, "bytes", (int64_t)header->sections[i].bytes);
        (void)snprintf(text, sizeof text, "%016" PRIx64, header->sections[i].checksum);
        doc_set_string(section, "checksum", text);
        doc_append(sections, section);
    }
    doc_set(object, "sections", sections);
    return object;
}

static void print_header(const char *path, const struct format_header *header)
{
    const struct segment_facts *facts = &header->facts;
    char hash[33];

    hash_to_text(&facts->content_hash, hash);
    (void)printf("%s\n", path);
    (void)printf("  segment %" PRId64 "  collection %" PRId64 "  partition %" PRId64 "\n",
                 facts->segment_id, facts->collection_id, facts->partition_id);
    (void)printf("  rows %" PRIu64 "  dim %" PRIu32 " of %" PRIu32 " bits  metric %s  "
                 "delete generation %" PRIu64 "\n",
                 facts->rows_count, facts->dim, format_row_bits(header),
                 qn_metric_name(facts->metric), facts->delete_generation);
    (void)printf("  resident bytes %" PRIu64 "  file bytes %" PRIu64 "\n  content hash %s\n",
                 facts->resident_bytes, header->file_bytes, hash);
    (void)printf("  %-14s %12s %14s  %-16s\n", "section", "offset", "bytes", "checksum");
    for (uint32_t i = 0; i < header->sections_count; i++)
        (void)printf("  %-14s %12" PRIu64 " %14" PRIu64 "  %016" PRIx64 "\n",
                     format_kind_name(header->sections[i].kind), header->sections[i].offset,
                     header->sections[i].bytes, header->sections[i].checksum);
}

static void tell_failure(struct inspection *inspection, const char *path,
                         const struct qn_error *error)
{
    int exit_code = qn_status_exit_code(error->status);

    if (inspection->exit_code == 0)
        inspection->exit_code = exit_code;
    (void)qseg_fail(error);
    if (!inspection->json)
        return;
    struct doc *object = doc_object();
    doc_set_string(object, "path", path);
    doc_set_bool(object, "ok", false);
    doc_set_string(object, "status", qn_status_name(error->status));
    doc_set_string(object, "error", error->text);
    doc_append(inspection->told, object);
}

/* listed: what a manifest says of the file, or NULL. */
static enum qn_status check_listed(const char *path, const struct segment_facts *facts,
                                   const struct manifest_segment *listed, struct qn_error *error)
{
    if (listed == NULL)
        return QN_STATUS_OK;
    if (facts->segment_id != listed->segment_id || facts->partition_id != listed->partition_id ||
        facts->rows_count != listed->rows_count ||
        facts->resident_bytes != listed->resident_bytes ||
        facts->delete_generation != listed->delete_generation ||
        !qn_hash_equal(&facts->content_hash, &listed->content_hash))
        return error_set(error, QN_STATUS_CONFLICT,
                         "%s: section header: not what collection.json says",
                         format_path_tail(path));
    return QN_STATUS_OK;
}

static void inspect_file(struct inspection *inspection, const char *path,
                         const struct manifest_segment *listed)
{
    struct files files = files_posix();
    struct format_header header;
    struct qn_error error = {0};
    enum qn_status status = inspection->read(&files, path, &header, &error);

    if (status == QN_STATUS_OK && inspection->verify)
        status = check_listed(path, &header.facts, listed, &error);
    if (status != QN_STATUS_OK) {
        tell_failure(inspection, path, &error);
    } else if (inspection->json) {
        struct doc *object = qseg_header_doc(path, &header);
        doc_set_bool(object, "ok", true);
        doc_append(inspection->told, object);
    } else if (inspection->verify) {
        (void)printf("%s: ok, %" PRIu64 " rows, %" PRIu64 " bytes\n", path, header.facts.rows_count,
                     header.file_bytes);
    } else {
        print_header(path, &header);
    }
}

static void inspect_path(struct inspection *inspection, const char *path)
{
    struct manifest *manifest = NULL;
    struct qn_error error = {0};
    struct stat info;

    if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode)) {
        inspect_file(inspection, path, NULL);
        return;
    }
    if (manifest_read(path, &manifest, &error) != QN_STATUS_OK) {
        tell_failure(inspection, path, &error);
        return;
    }
    for (size_t i = 0; i < manifest->segments_count; i++)
        if (manifest->segments[i].state == QN_SEGMENT_SEALED)
            inspect_file(inspection, manifest->segments[i].path, &manifest->segments[i]);
    manifest_free(manifest);
}

static int run(struct inspection *inspection, const struct qseg_arguments *arguments,
               const char *verb)
{
    if (arguments->files_count == 0)
        return qseg_usage(verb, "which files?");
    inspection->told = doc_array();
    for (size_t i = 0; i < arguments->files_count; i++)
        inspect_path(inspection, arguments->files[i]);
    if (inspection->json)
        doc_print(inspection->told);
    doc_free(inspection->told);
    return inspection->exit_code;
}

int qseg_inspect(int argc, char **argv)
{
    struct inspection inspection = {.read = format_read_path};
    const struct qseg_option options[] = {
        {"--json", QSEG_FLAG, &inspection.json, "as JSON (also: -o json)"}};
    struct qseg_arguments arguments = {
        .synopsis = "FILE|FOLDER... [--json]",
        .examples = "  qseg inspect seven.qseg\n  qseg inspect glove --json\n",
        .options = options,
        .options_count = COUNT_OF(options),
    };
    int exit_code = 0;

    if (!qseg_parse(argc, argv, &arguments, &exit_code))
        return exit_code;
    return run(&inspection, &arguments, "inspect");
}

int qseg_verify(int argc, char **argv)
{
    struct inspection inspection = {.read = verify_file, .verify = true};
    const struct qseg_option options[] = {
        {"--json", QSEG_FLAG, &inspection.json, "as JSON (also: -o json)"}};
    struct qseg_arguments arguments = {
        .synopsis = "FILE|FOLDER... [--json]",
        .examples = "  qseg verify seven.qseg\n"
                    "  qseg verify glove        # the files of collection.json, and against it\n",
        .options = options,
        .options_count = COUNT_OF(options),
    };
    int exit_code = 0;

    if (!qseg_parse(argc, argv, &arguments, &exit_code))
        return exit_code;
    return run(&inspection, &arguments, "verify");
}
