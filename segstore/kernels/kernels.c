/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/kernels/kernels.h"

#include "base/check.h"
#include "base/error.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef QNODE_KERNELS_X86
#include <cpuid.h>
#endif

enum { TABLES_MAX = 8 };

#ifdef QNODE_KERNELS_X86
/* Not every compiler's __builtin_cpu_supports knows it by name. */
static bool has_f16c(void)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

/* The compiler's runtime asks CPUID and, for the wide registers, the operating system (XGETBV). */
size_t kernels_supported(const struct kernels *ret_tables[], size_t capacity)
{
    size_t count = 0;

    CHECK(capacity >= 1);
    ret_tables[count++] = &kernels_scalar;
#ifdef QNODE_KERNELS_X86
    __builtin_cpu_init();
    if (count < capacity && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        has_f16c())
        ret_tables[count++] = &kernels_avx2;
    if (count < capacity && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni"))
        ret_tables[count++] = &kernels_avx512;
#endif
    return count;
}

static bool is_known(const char *name)
{
    static const char *const names[] = {"scalar", "avx2", "avx512"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static _Atomic(const struct kernels *) kernels_chosen;

enum qn_status kernels_choose(const char *name, struct qn_error *error)
{
    const struct kernels *tables[TABLES_MAX];
    size_t count = kernels_supported(tables, TABLES_MAX);

    if (name == NULL)
        name = getenv("QNODE_KERNELS");
    if (name == NULL || *name == '\0') {
        atomic_store(&kernels_chosen, tables[count - 1]);
        return QN_STATUS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tables[i]->name, name) != 0)
            continue;
        atomic_store(&kernels_chosen, tables[i]);
        return QN_STATUS_OK;
    }
    return error_set(error, QN_STATUS_CONFIG,
                     is_known(name) ? "kernels %s: this machine cannot run them"
                                    : "kernels %s: unknown, there are scalar, avx2, avx512",
                     name);
}

/* Asked for once: CPUID leaves a virtual machine, which takes longer than a distance. */
const struct kernels *kernels_current(void)
{
    const struct kernels *tables[TABLES_MAX];
    const struct kernels *chosen = atomic_load_explicit(&kernels_chosen, memory_order_acquire);

    if (chosen != NULL)
        return chosen;
    const struct kernels *fastest = tables[kernels_supported(tables, TABLES_MAX) - 1];
    /* Kept: CPUID stops a virtual machine for microseconds. A choice made meanwhile stands. */
    return atomic_compare_exchange_strong(&kernels_chosen, &chosen, fastest) ? fastest : chosen;
}
