/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_result.h"

#include <stdlib.h>
#include <string.h>

enum qn_status client_result_room(struct qn_search_result *result, size_t missing_count)
{
    result->hit_counts = malloc(result->nq * sizeof *result->hit_counts);
    result->hits = malloc((size_t)result->nq * result->k * sizeof *result->hits);
    result->missing = missing_count == 0 ? NULL : malloc(missing_count * sizeof *result->missing);
    if (result->hit_counts != NULL && result->hits != NULL &&
        (missing_count == 0 || result->missing != NULL))
        return QN_STATUS_OK;
    qn_search_result_done(result);
    return QN_STATUS_NO_MEMORY;
}

void qn_search_result_done(struct qn_search_result *result)
{
    if (result == NULL)
        return;
    free(result->hit_counts);
    free(result->hits);
    free(result->missing);
    *result = (struct qn_search_result){.verdict = QN_VERDICT_UNKNOWN};
}

enum qn_status client_result_share(const struct qn_search_result *all, uint32_t first_query,
                                   uint32_t nq, struct qn_search_result *ret_share)
{
    const size_t first = first_query, k = all->k;
    struct qn_search_result share = *all;

    share.nq = nq;
    if (client_result_room(&share, all->missing_count) != QN_STATUS_OK)
        return QN_STATUS_NO_MEMORY;
    memcpy(share.hit_counts, all->hit_counts + first, nq * sizeof *share.hit_counts);
    for (size_t i = 0; i < nq; i++)
        memcpy(share.hits + i * k, all->hits + (first + i) * k,
               share.hit_counts[i] * sizeof *share.hits);
    if (all->missing_count > 0)
        memcpy(share.missing, all->missing, all->missing_count * sizeof *share.missing);
    *ret_share = share;
    return QN_STATUS_OK;
}

bool client_result_suits_all(const struct qn_search_result *all)
{
    for (size_t i = 0; i < all->missing_count; i++)
        switch (all->missing[i].reason) {
        case QN_STATUS_NO_RESPONDERS:
        case QN_STATUS_NOT_HERE:
        case QN_STATUS_MOVED:
        case QN_STATUS_NOT_PERMITTED:
            continue;
        default:
            return false;
        }
    return true;
}
