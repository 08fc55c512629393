/* SPDX-License-Identifier: Apache-2.0
 * Between handoff.c (one move), handoff_receipts.c and handoff_run.c (all of them). */
#ifndef COORDINATOR_HANDOFF_INTERNAL_H
#define COORDINATOR_HANDOFF_INTERNAL_H

#include "coordinator/handoff.h"

enum handoff_trouble {
    HANDOFF_TROUBLE_NONE,
    HANDOFF_TROUBLE_SILENT, /* the target */
    HANDOFF_TROUBLE_RESTARTED,
    HANDOFF_TROUBLE_LOST,
    HANDOFF_TROUBLE_LOAD_FAILED,
    HANDOFF_TROUBLE_HELD,
    HANDOFF_TROUBLE_SOURCE_SILENT,
};

/* The arrow must be in the table; makes it a row. */
void handoff_move_to(struct core *core, struct catalog_move *move, enum handoff_phase next);
/* Says once why the move does not go on; counts the attempt. */
void handoff_set_reason(struct core *core, struct catalog_move *move, enum handoff_trouble trouble,
                        const char *reason);

/* At most one arrow; sets move->due. */
void handoff_step(struct core *core, struct catalog_move *move);
/* The source's row goes, the phase is RELEASING, the source will be asked in this step. */
void handoff_enter_releasing(struct core *core, struct catalog_move *move, struct qn_epoch follows);
void handoff_asked(struct core *core, struct catalog_move *move);

#endif
