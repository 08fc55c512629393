/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/life.h"

#include "base/check.h"

/* LEAVING -> SERVING and DRAINING -> SERVING are releases that were held or called off. */
static const unsigned life_arrows[] = {
    [QN_COPY_ABSENT] = 1u << QN_COPY_LOADING,
    [QN_COPY_LOADING] = 1u << QN_COPY_SERVING | 1u << QN_COPY_ABSENT,
    [QN_COPY_SERVING] = 1u << QN_COPY_LEAVING,
    [QN_COPY_LEAVING] = 1u << QN_COPY_SERVING | 1u << QN_COPY_DRAINING,
    [QN_COPY_DRAINING] = 1u << QN_COPY_SERVING | 1u << QN_COPY_ABSENT,
};

bool life_may_follow(enum qn_copy_state from, enum qn_copy_state to)
{
    CHECK((unsigned)from < COUNT_OF(life_arrows));
    CHECK((unsigned)to < COUNT_OF(life_arrows));
    return (life_arrows[from] & 1u << to) != 0;
}

bool life_answers_searches(enum qn_copy_state state)
{
    return state == QN_COPY_SERVING || state == QN_COPY_LEAVING;
}
