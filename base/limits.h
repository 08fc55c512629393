/* SPDX-License-Identifier: Apache-2.0
 * Every bound of the house, by name. A full queue answers BUSY; nothing grows past its line here.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    LIMIT_K_MAX = 16384,                  /* neighbours per query */
    LIMIT_NPROBE_MAX = 1 << 20,           /* lists of an index that a search looks at */
    LIMIT_EF_MAX = 65536,                 /* candidates that a search of a graph keeps */
    LIMIT_REFINE_MAX = 65536,             /* candidates of an index that are computed exactly */
    LIMIT_HITS_PER_REQUEST_MAX = 65536,   /* nq x k */
    LIMIT_QUERIES_PER_REQUEST_MAX = 1024, /* nq */
    LIMIT_DIM_MAX = 32768,
    LIMIT_BLOCK_ROWS = 16,       /* rows per vector block, frozen by the file format */
    LIMIT_SEARCH_MS_MAX = 60000, /* MAX_SEARCH_MS: the longest deadline of a search */

    LIMIT_SEGMENTS_PER_NODE_MAX = 4096,
    LIMIT_SEGMENTS_PER_REQUEST_MAX = 4096, /* named by one search */
    LIMIT_SEGMENTS_PER_COMMAND_MAX = 256,  /* named by one load, release or change info */
    LIMIT_SEGMENTS_PER_VIEW_MAX = 65536,
    LIMIT_COPIES_PER_SEGMENT_MAX = 8,
    LIMIT_WITNESSES_MAX = 8, /* of one release */
    LIMIT_NODES_MAX = 16384,
    LIMIT_NUMA_NODES_MAX = 64,
    LIMIT_RELEASED_EPOCHS = 4096, /* remembered before the floor rises (C5) */
    LIMIT_MOVED_HINTS = 4096,     /* remembered before MOVED becomes NOT_HERE (C7) */

    LIMIT_MESSAGE_BYTES_MAX = 1 << 20,
    LIMIT_ANSWER_PART_BYTES = 512 << 10, /* a longer search answer goes in parts */
    LIMIT_REPORT_PAGE_COPIES = 1024,
    LIMIT_REPORT_PAGES_MAX = 64, /* a coordinator keeps a bit for each */
    LIMIT_VIEW_PAGE_ITEMS = 4096,
    LIMIT_VIEW_PAGES_MAX = 4096,
    LIMIT_DECODE_ARENA_BYTES = 16 << 20, /* memory one message may take when decoded */
    LIMIT_NAME_BYTES = 128,              /* cluster, sender, collection names */
    LIMIT_PATH_BYTES = 1024,
    LIMIT_SUBJECT_BYTES = 256,
    LIMIT_NEEDS_MAX = 32,

    LIMIT_INBOX_SLOTS = 8192,
    LIMIT_TASK_SLOTS = 4096,
    LIMIT_ACTIONS_PER_STEP = 1024,

    LIMIT_REPORT_INTERVAL_MS = 1000, /* heartbeat */
    LIMIT_NODE_SILENT_MS = 5000,     /* a node that said nothing this long is taken for dead */
    LIMIT_RELEASE_GRACE_MS = 500,    /* default of release_grace_ms */
    LIMIT_TERM_JUMP_LOG2 = 32,       /* terms more than 2^32 ahead are refused */
};

#endif
