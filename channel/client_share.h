/* SPDX-License-Identifier: Apache-2.0
 * What one call gets of the result of a search that several shared. */
#ifndef CHANNEL_CLIENT_SHARE_H
#define CHANNEL_CLIENT_SHARE_H

#include "qnode/search.h"

/* The hits of nq queries from first_query on, and all else as it is; free with
 * qn_search_result_done. NO_MEMORY. */
enum qn_status client_share_copy(const struct qn_search_result *all, uint32_t first_query,
                                 uint32_t nq, struct qn_search_result *ret_share);
/* Nothing is missing, or what is depends on the view and on who is there, not on the queries. */
bool client_share_suits_all(const struct qn_search_result *all);

#endif
