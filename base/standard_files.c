/* SPDX-License-Identifier: Apache-2.0 */
#include "base/standard_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void standard_files_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) /* the lowest that is free */
            _exit(1);
}

bool standard_files_flush(const char *program)
{
    bool fails = fflush(stdout) != 0;
    int error = errno;

    if (!fails && !ferror(stdout))
        return true;
    clearerr(stdout); /* it is told */
    (void)fprintf(stderr, "%s: write to stdout: %s\n", program,
                  fails ? strerror(error) : "some of the output is lost");
    return false;
}

int standard_files_end(const char *program, int code)
{
    return !standard_files_flush(program) && code == 0 ? 1 : code;
}
