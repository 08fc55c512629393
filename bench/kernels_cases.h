/* SPDX-License-Identifier: Apache-2.0
 * What qnode-bench kernels --each measures: every function of a table of kernels, called as
 * searches call it, on data that lies where it does for them. */
#ifndef BENCH_KERNELS_CASES_H
#define BENCH_KERNELS_CASES_H

#include "bench/kernels_field.h"
#include "segstore/kernels/kernels.h"

enum { CASE_DIM = 128, CASES_MAX = 40 };

enum case_unit { UNIT_GBYTES, UNIT_GMADDS, UNIT_NS_CODE, UNIT_NS_ROW, UNITS_COUNT };

/* Which of the machine's limits is the nearest: to read rows one after the other, or such as lie
 * anywhere; to multiply, a quarter of the instructions if what is multiplied are bytes. */
enum case_bound { BOUND_NONE, BOUND_READ, BOUND_ROWS, BOUND_FMA, BOUND_FMA_BYTES, BOUNDS_COUNT };

/* What one run did. */
struct case_work {
    size_t bytes; /* of rows, that were read */
    size_t madds; /* multiply-adds */
    size_t rows;  /* that were offered, or compared with a query */
};

struct kernel_case {
    const char *kernel; /* the member of struct kernels */
    const char *shape;
    enum field_place place;
    enum case_unit unit;
    enum case_bound bound;
    struct case_work (*run)(struct kernel_field *field, const struct kernels *kernels,
                            const struct kernel_case *what);
    size_t size; /* queries; bytes of a row */
};

/* In the order of the README of segstore/kernels. */
extern const struct kernel_case kernel_cases[];
extern const size_t kernel_cases_count;

#endif
