/* SPDX-License-Identifier: Apache-2.0
 * Search by lists and codes, behind search.h. */
#ifndef SEGSTORE_IVF_H
#define SEGSTORE_IVF_H

#include "segstore/flat.h"

/* What ivf_search wants of options->scratch for nq queries, 64-byte aligned. */
size_t ivf_scratch_bytes(const struct ivf_section *index, const struct search_options *options,
                         uint32_t nq);
enum qn_status ivf_search(struct scan *scan);

#endif
