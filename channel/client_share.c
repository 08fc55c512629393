/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_share.h"

#include <stdlib.h>
#include <string.h>

enum qn_status client_share_copy(const struct qn_search_result *all, uint32_t first_query,
                                 uint32_t nq, struct qn_search_result *ret_share)
{
    const uint32_t k = all->k;
    const struct qn_hit *hits = all->hits + (size_t)first_query * k;
    struct qn_search_result share = *all;

    share.nq = nq;
    share.hit_counts = malloc(nq * sizeof *share.hit_counts);
    share.hits = malloc((size_t)nq * k * sizeof *share.hits);
    share.missing =
        all->missing_count == 0 ? NULL : malloc(all->missing_count * sizeof *share.missing);
    if (share.hit_counts == NULL || share.hits == NULL ||
        (all->missing_count > 0 && share.missing == NULL)) {
        qn_search_result_done(&share);
        return QN_STATUS_NO_MEMORY;
    }
    memcpy(share.hit_counts, all->hit_counts + first_query, nq * sizeof *share.hit_counts);
    for (uint32_t i = 0; i < nq; i++)
        memcpy(share.hits + (size_t)i * k, hits + (size_t)i * k,
               share.hit_counts[i] * sizeof *share.hits);
    if (all->missing_count > 0)
        memcpy(share.missing, all->missing, all->missing_count * sizeof *share.missing);
    *ret_share = share;
    return QN_STATUS_OK;
}

bool client_share_suits_all(const struct qn_search_result *all)
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
