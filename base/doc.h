/* SPDX-License-Identifier: Apache-2.0
 * JSON documents by jansson (the only file that includes it is doc.c): a thin face with our error
 * texts. */
#ifndef BASE_DOC_H
#define BASE_DOC_H

#include "qnode/types.h"

struct doc; /* a value; children belong to their parent */

/* NULL: CORRUPT, with the line; NO_MEMORY. */
struct doc *doc_parse(const char *text, size_t size, struct qn_error *error);
struct doc *doc_object(void);
struct doc *doc_array(void);
struct doc *doc_int(int64_t value);
void doc_free(struct doc *doc); /* roots only; NULL is fine */

/* Building: names are copied, values handed over; out of memory ends the process (tools only). */
void doc_set(struct doc *object, const char *name, struct doc *value);
void doc_set_string(struct doc *object, const char *name, const char *value);
void doc_set_int(struct doc *object, const char *name, int64_t value);
void doc_set_number(struct doc *object, const char *name, double value);
void doc_set_bool(struct doc *object, const char *name, bool value);
void doc_append(struct doc *array, struct doc *value);
/* Indented by 2, keys in order of insertion; free() the text. */
char *doc_to_text(const struct doc *doc);
/* doc_to_text on stdout with a newline. */
void doc_print(const struct doc *doc);
/* In one line. */
void doc_print_line(const struct doc *doc);

/* The same for daemons, which outlive a lack of memory: sets the members of the object to those of
 * the other; *ret_differs: one was not the same. False, NULL: out of memory. */
bool doc_update(struct doc *object, const struct doc *other, bool *ret_differs);
char *doc_to_line(const struct doc *doc); /* free() it */

/* Reading: an error names the member that is missing or of the wrong type. */
enum qn_status doc_get_string(const struct doc *object, const char *name, const char **ret_value,
                              struct qn_error *error);
enum qn_status doc_get_int(const struct doc *object, const char *name, int64_t *ret_value,
                           struct qn_error *error);
enum qn_status doc_get_object(struct doc *object, const char *name, struct doc **ret_object,
                              struct qn_error *error);
enum qn_status doc_get_array(const struct doc *object, const char *name,
                             const struct doc **ret_array, struct qn_error *error);
size_t doc_array_count(const struct doc *array);
const struct doc *doc_array_at(const struct doc *array, size_t index);

#endif
