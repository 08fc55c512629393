/* SPDX-License-Identifier: Apache-2.0
 * What a program owes to its files 0, 1 and 2: the first and the last thing that main does. */
#ifndef BASE_STANDARD_FILES_H
#define BASE_STANDARD_FILES_H

#include <stdbool.h>

/* Before anything is opened. Those that whoever started us has closed become /dev/null: else the
 * next socket or file would get the number, and what is printed would go there. Ends the process
 * with exit code 1 if there is no /dev/null. */
void standard_files_open(void);

/* Everything printed has arrived. False after a word on stderr why not, once for each trouble. */
bool standard_files_flush(const char *program);
/* The exit code: 1 instead of 0 if not everything printed has arrived. */
int standard_files_end(const char *program, int code);

#endif
