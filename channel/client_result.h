/* SPDX-License-Identifier: Apache-2.0
 * What a search gives its caller, and what one call gets where several shared it. */
#ifndef CHANNEL_CLIENT_RESULT_H
#define CHANNEL_CLIENT_RESULT_H

#include "qnode/search.h"

/* Room in result for the hits of its nq and k and for that many missing segments; free with
 * qn_search_result_done. NO_MEMORY: it has none. */
enum qn_status client_result_room(struct qn_search_result *result, size_t missing_count);
/* The hits of nq queries from first_query on, and all else as it is. NO_MEMORY. */
enum qn_status client_result_share(const struct qn_search_result *all, uint32_t first_query,
                                   uint32_t nq, struct qn_search_result *ret_share);
/* Nothing is missing, or what is depends on the view and on who is there, not on the queries. */
bool client_result_suits_all(const struct qn_search_result *all);

#endif
