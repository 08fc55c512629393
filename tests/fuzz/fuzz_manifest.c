/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing collection.json: any bytes are a manifest or an error that names the file. */
#include "base/check.h"
#include "segstore/manifest.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static void folder_remove(void)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/collection.json", folder);
    (void)unlink(path);
    (void)rmdir(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct manifest *manifest = NULL;
    struct qn_error error = {0};
    char path[96];

    if (folder[0] == '\0') {
        (void)snprintf(folder, sizeof folder, "/tmp/qnode-fuzz-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
        CHECK(atexit(folder_remove) == 0);
    }
    (void)snprintf(path, sizeof path, "%s/collection.json", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    (void)close(fd);
    if (manifest_read(folder, &manifest, &error) != QN_STATUS_OK)
        CHECK(strstr(error.text, "collection.json") != NULL);
    manifest_free(manifest);
    return 0;
}
