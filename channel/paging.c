/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/paging.h"

size_t paging_fit(size_t count, size_t bytes_max, size_t (*size)(void *owner, size_t count),
                  void *owner)
{
    if (count == 0)
        return 0;
    while (count > 1) {
        size_t bytes = size(owner, count);
        if (bytes <= bytes_max)
            return count;
        /* Items are of about one size; where they are not, the second line ends it. */
        size_t share = (size_t)((double)count * (double)bytes_max / (double)bytes);
        size_t less = count - 1 - count / 16;
        count = share < less ? share : less;
    }
    return 1;
}
