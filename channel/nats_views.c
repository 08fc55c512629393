/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/nats_views.h"

#include "base/doc.h"
#include "base/error.h"
#include "channel/subject.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ERROR_NAME_IN_USE = 10058,     /* stream name already in use with a different configuration */
    ERROR_NOT_ENABLED = 10076,     /* JetStream not enabled */
    ERROR_NOT_FOR_ACCOUNT = 10039, /* JetStream not enabled for account */
};

bool nats_views_of(const char *pattern, struct nats_views *ret_views)
{
    static const char first[] = "qnode.", second[] = ".query.";
    char cluster[LIMIT_NAME_BYTES];
    const char *from = pattern + strlen(first);

    if (strncmp(pattern, first, strlen(first)) != 0 || strpbrk(pattern, "*>") == NULL)
        return false;
    size_t bytes = strcspn(from, ".");
    if (bytes >= sizeof cluster || strncmp(from + bytes, second, strlen(second)) != 0)
        return false;
    memcpy(cluster, from, bytes);
    cluster[bytes] = '\0';
    if (!subject_cluster_is_valid(cluster))
        return false;
    (void)snprintf(ret_views->pages, sizeof ret_views->pages, "qnode.%s.query.*.*", cluster);
    (void)snprintf(ret_views->stream, sizeof ret_views->stream, "qnode-%s-views", cluster);
    (void)snprintf(ret_views->get, sizeof ret_views->get, "$JS.API.DIRECT.GET.qnode-%s-views",
                   cluster);
    (void)snprintf(ret_views->create, sizeof ret_views->create,
                   "$JS.API.STREAM.CREATE.qnode-%s-views", cluster);
    (void)snprintf(ret_views->update, sizeof ret_views->update,
                   "$JS.API.STREAM.UPDATE.qnode-%s-views", cluster);
    (void)snprintf(ret_views->info, sizeof ret_views->info, "$JS.API.STREAM.INFO.qnode-%s-views",
                   cluster);
    return true;
}

void nats_views_stream_text(const struct nats_views *views, char ret_text[NATS_VIEWS_TEXT_BYTES])
{
    (void)snprintf(ret_text, NATS_VIEWS_TEXT_BYTES,
                   "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"description\":\"the newest views of "
                   "qnode\",\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"old\","
                   "\"num_replicas\":1,\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1,"
                   "\"max_age\":0,\"max_msg_size\":-1,\"max_msgs_per_subject\":1,"
                   "\"duplicate_window\":0,\"allow_direct\":true}",
                   views->stream, views->pages);
}

enum qn_status nats_views_amend(const struct nats_views *views, const char *info, size_t size,
                                char **ret_text, struct qn_error *error)
{
    char ours[NATS_VIEWS_TEXT_BYTES];
    struct doc *config = NULL, *needed = NULL;
    struct qn_error unwanted;
    bool differs = false;

    error = error != NULL ? error : &unwanted;

    (void)snprintf(ours, sizeof ours,
                   "{\"subjects\":[\"%s\"],\"retention\":\"limits\",\"discard\":\"old\","
                   "\"max_msgs\":-1,\"max_age\":0,\"max_msgs_per_subject\":1,"
                   "\"allow_direct\":true}",
                   views->pages);
    struct doc *answer = doc_parse(info, size, error);
    if (answer == NULL || (needed = doc_parse(ours, strlen(ours), error)) == NULL) {
        doc_free(answer);
        return error->status;
    }
    enum qn_status status = doc_get_object(answer, "config", &config, error);
    if (status == QN_STATUS_OK && !doc_update(config, needed, &differs))
        status = error_set(error, QN_STATUS_NO_MEMORY, "JetStream: out of memory");
    *ret_text = NULL;
    if (status == QN_STATUS_OK && differs && (*ret_text = doc_to_line(config)) == NULL)
        status = error_set(error, QN_STATUS_NO_MEMORY, "JetStream: out of memory");
    doc_free(needed);
    doc_free(answer);
    return status;
}

void nats_views_get_text(const struct nats_views *views, uint64_t sequence,
                         char ret_text[NATS_VIEWS_TEXT_BYTES])
{
    (void)snprintf(ret_text, NATS_VIEWS_TEXT_BYTES, "{\"seq\":%" PRIu64 ",\"next_by_subj\":\"%s\"}",
                   sequence, views->pages);
}

/* The answers are the server's own, from a subject that only it listens to: looked through, not
 * parsed. */
enum qn_status nats_views_check_answer(const char *text, size_t size, struct qn_error *error)
{
    static const char number[] = "\"err_code\":", words[] = "\"description\":\"";
    char copy[NATS_VIEWS_TEXT_BYTES];

    size = size < sizeof copy ? size : sizeof copy - 1;
    memcpy(copy, text, size);
    copy[size] = '\0';
    const char *at = strstr(copy, "\"error\":{");
    if (at == NULL)
        return QN_STATUS_OK;
    const char *code_at = strstr(at, number), *words_at = strstr(at, words);
    long code = code_at == NULL ? 0 : strtol(code_at + strlen(number), NULL, 10);
    enum qn_status status = code == ERROR_NAME_IN_USE ? QN_STATUS_CONFLICT : QN_STATUS_UNAVAILABLE;
    if (code == ERROR_NOT_ENABLED || code == ERROR_NOT_FOR_ACCOUNT)
        status = QN_STATUS_UNSUPPORTED;
    const char *said = words_at == NULL ? "an error" : words_at + strlen(words);
    return error_set(error, status, "JetStream: %.*s", (int)strcspn(said, "\""), said);
}
