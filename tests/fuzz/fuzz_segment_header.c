/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing the header page: any bytes are a header or an error that names the section. The checksum
 * is mended first, so that the fuzzer gets past it. */
#include "base/check.h"
#include "base/hash.h"
#include "segstore/format.h"
#include <string.h>

enum { CHECKSUM_AT = FORMAT_PAGE_BYTES - 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t page[FORMAT_PAGE_BYTES] = {0}, again[FORMAT_PAGE_BYTES];
    struct format_header header, second;
    struct qn_error error = {0};

    memcpy(page, bytes, size < CHECKSUM_AT ? size : CHECKSUM_AT);
    uint64_t checksum = hash64(page, CHECKSUM_AT);
    for (int i = 0; i < 8; i++)
        page[CHECKSUM_AT + i] = (uint8_t)(checksum >> 8 * i);
    if (format_decode(page, &header, &error) != QN_STATUS_OK) {
        CHECK(strstr(error.text, "section ") != NULL);
        return 0;
    }
    (void)format_check_size(&header, size, &error);
    format_encode(&header, again);
    CHECK(format_decode(again, &second, &error) == QN_STATUS_OK);
    return 0;
}
