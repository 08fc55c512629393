/* SPDX-License-Identifier: Apache-2.0
 * Checks a whole .qseg file without loading it. */
#ifndef SEGSTORE_VERIFY_H
#define SEGSTORE_VERIFY_H

#include "segstore/format.h"

/* ret_header: what a good file says. Errors read "PATH: section NAME: reason", as the loader's. */
enum qn_status verify_file(const struct files *files, const char *path,
                           struct format_header *ret_header, struct qn_error *error);

#endif
