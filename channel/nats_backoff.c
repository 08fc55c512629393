/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/nats_backoff.h"

uint64_t nats_backoff_ms(unsigned attempt, uint64_t random)
{
    uint64_t longest_ms = NATS_BACKOFF_FIRST_MS;

    for (unsigned i = 1; i < attempt && longest_ms < NATS_BACKOFF_MAX_MS; i++)
        longest_ms *= 2;
    if (longest_ms > NATS_BACKOFF_MAX_MS)
        longest_ms = NATS_BACKOFF_MAX_MS;
    return longest_ms / 2 + random % (longest_ms / 2 + 1);
}
