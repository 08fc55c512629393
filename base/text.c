/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/check.h"
#include <stdio.h>

const char *text_bytes(uint64_t bytes, char ret_text[TEXT_BYTES])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        (void)snprintf(ret_text, TEXT_BYTES, "%u B", (unsigned)bytes);
        return ret_text;
    }
    for (; value >= 1023.95 && unit + 1 < COUNT_OF(units); unit++) /* not "1024.0 KiB" */
        value /= 1024;
    (void)snprintf(ret_text, TEXT_BYTES, "%.1f %s", value, units[unit]);
    return ret_text;
}

const char *text_us(uint64_t us, char ret_text[TEXT_BYTES])
{
    if (us < 1000)
        (void)snprintf(ret_text, TEXT_BYTES, "%u us", (unsigned)us);
    else if (us < 1000000)
        (void)snprintf(ret_text, TEXT_BYTES, "%.2f ms", (double)us / 1e3);
    else
        (void)snprintf(ret_text, TEXT_BYTES, "%.2f s", (double)us / 1e6);
    return ret_text;
}

const char *text_count(uint64_t count, char ret_text[TEXT_BYTES])
{
    char digits[TEXT_BYTES];
    int digits_count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *next = ret_text;

    for (int i = 0; i < digits_count; i++) {
        if (i > 0 && (digits_count - i) % 3 == 0)
            *next++ = ',';
        *next++ = digits[i];
    }
    *next = '\0';
    return ret_text;
}
