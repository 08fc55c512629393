/* SPDX-License-Identifier: Apache-2.0
 * Does our codec take these bytes of another implementation? Each file must decode, and encode
 * again to a message of the same kind; the names of the kinds are printed. Usage: decode-check
 * FILE... */
#include "channel/codec.h"
#include <stdio.h>

static int decode_file(const char *path)
{
    static uint8_t bytes[LIMIT_MESSAGE_BYTES_MAX + 1];
    struct qn_error error = {0};
    struct message message, again;
    struct arena arena;
    const uint8_t *encoded;
    size_t encoded_size;

    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)fprintf(stderr, "%s: cannot be opened\n", path);
        return 1;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    arena_init(&arena, (size_t)4 * LIMIT_DECODE_ARENA_BYTES);
    enum qn_status status = codec_decode(bytes, size, &arena, &message, &error);
    if (status == QN_STATUS_OK)
        status = codec_encode(&message, &arena, &encoded, &encoded_size, &error);
    if (status == QN_STATUS_OK)
        status = codec_decode(encoded, encoded_size, &arena, &again, &error);
    if (status != QN_STATUS_OK)
        (void)fprintf(stderr, "%s: %s\n", path, error.text);
    else if (message.kind == MESSAGE_NONE || again.kind != message.kind)
        (void)fprintf(stderr, "%s: is %s\n", path, message_kind_name(message.kind));
    else
        (void)printf("%s\n", message_kind_name(message.kind));
    bool is_right =
        status == QN_STATUS_OK && message.kind != MESSAGE_NONE && again.kind == message.kind;
    arena_done(&arena);
    return is_right ? 0 : 1;
}

int main(int arguments_count, char **arguments)
{
    int failed_count = 0;

    for (int i = 1; i < arguments_count; i++)
        failed_count += decode_file(arguments[i]);
    return failed_count == 0 ? 0 : 1;
}
