/* SPDX-License-Identifier: Apache-2.0
 * Views of collections: for each sealed segment the copies that are wanted and that answer. The
 * version (term, version) rises with every change; readable_version only when what is readable
 * does, so a move leaves it alone (C3). Pure. */
#ifndef COORDINATOR_VIEW_H
#define COORDINATOR_VIEW_H

#include "coordinator/core.h"

/* False right after a start, while nodes that should hold its copies have not said what they hold:
 * clients keep the view they have (C9). */
bool view_is_known(const struct core *core, const struct catalog_collection *collection);
/* Takes a new version if the placement changed, or force. False: nothing changed. Clears dirty. */
bool view_update(struct core *core, struct catalog_collection *collection, bool force);
/* Publishes all pages of the present version on the query channel. */
void view_publish(struct core *core, struct catalog_collection *collection);
/* The pages of the present version, in the outbox's memory; at least one. */
struct collection_view *view_pages(struct core *core, const struct catalog_collection *collection,
                                   uint32_t *ret_count);
/* True if the segment has a copy in the view. */
bool view_serves(const struct core *core, const struct catalog_segment *segment);
/* Updates and publishes what is due. */
void view_run(struct core *core);

#endif
