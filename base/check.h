/* SPDX-License-Identifier: Apache-2.0
 * CHECK is for bugs of ours, on in release: it prints and aborts. Never on outside input. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(expression), 0))                                                    \
            check_failed(#expression, __FILE__, __LINE__);                                         \
    } while (0)

#define COUNT_OF(array)   (sizeof(array) / sizeof((array)[0]))
#define CLEANUP(function) __attribute__((cleanup(function)))

#endif
