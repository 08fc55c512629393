/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include "base/check.h"
#include "base/error.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A struct doc is a json_t under another name, so that no other file sees jansson. */
static json_t *inner(const struct doc *doc)
{
    return (json_t *)(uintptr_t)doc;
}

static struct doc *made(json_t *value)
{
    CHECK(value != NULL);
    return (struct doc *)value;
}

/* jansson's parser does not always notice that it has no memory: it goes on without a character of
 * a string or a digit of a number. So we notice. */
static _Thread_local bool is_exhausted;

static void *take(size_t bytes)
{
    void *memory = malloc(bytes);

    is_exhausted |= memory == NULL;
    return memory;
}

static void lead_memory(void)
{
    json_set_alloc_funcs(take, free);
}

struct doc *doc_parse(const char *text, size_t size, struct qn_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    json_error_t failure;

    (void)pthread_once(&once, lead_memory);
    is_exhausted = false;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &failure);
    if (is_exhausted) {
        json_decref(value);
        (void)error_set(error, QN_STATUS_NO_MEMORY, "JSON: out of memory");
        return NULL;
    }
    if (value == NULL)
        (void)error_set(error, QN_STATUS_CORRUPT, "JSON line %d: %s", failure.line, failure.text);
    return (struct doc *)value;
}

struct doc *doc_object(void)
{
    return made(json_object());
}

struct doc *doc_array(void)
{
    return made(json_array());
}

struct doc *doc_int(int64_t value)
{
    return made(json_integer(value));
}

void doc_free(struct doc *doc)
{
    json_decref(inner(doc));
}

void doc_set(struct doc *object, const char *name, struct doc *value)
{
    CHECK(json_object_set_new(inner(object), name, inner(value)) == 0);
}

static struct doc *text_value(const char *value)
{
    json_t *text = json_string(value);

    return made(text != NULL ? text : json_string("(not UTF-8)"));
}

void doc_set_string(struct doc *object, const char *name, const char *value)
{
    doc_set(object, name, text_value(value));
}

void doc_set_int(struct doc *object, const char *name, int64_t value)
{
    doc_set(object, name, made(json_integer(value)));
}

void doc_set_number(struct doc *object, const char *name, double value)
{
    doc_set(object, name, made(json_real(value)));
}

void doc_set_bool(struct doc *object, const char *name, bool value)
{
    doc_set(object, name, made(json_boolean(value)));
}

void doc_append(struct doc *array, struct doc *value)
{
    CHECK(json_array_append_new(inner(array), inner(value)) == 0);
}

char *doc_to_text(const struct doc *doc)
{
    char *text = json_dumps(inner(doc), JSON_INDENT(2) | JSON_REAL_PRECISION(9));

    CHECK(text != NULL);
    return text;
}

void doc_print(const struct doc *doc)
{
    char *text = doc_to_text(doc);

    (void)puts(text);
    free(text);
}

char *doc_to_line(const struct doc *doc)
{
    return json_dumps(inner(doc), JSON_COMPACT | JSON_REAL_PRECISION(9));
}

void doc_print_line(const struct doc *doc)
{
    char *text = doc_to_line(doc);

    CHECK(text != NULL);
    (void)puts(text);
    free(text);
}

bool doc_update(struct doc *object, const struct doc *other, bool *ret_differs)
{
    const char *name;
    json_t *value;

    *ret_differs = false;
    json_object_foreach(inner(other), name, value)
    {
        if (json_equal(json_object_get(inner(object), name), value))
            continue;
        *ret_differs = true;
        if (json_object_set(inner(object), name, value) != 0)
            return false;
    }
    return true;
}

static const char *type_name(json_type type)
{
    switch (type) {
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_OBJECT:
        return "an object";
    default:
        return "an array";
    }
}

static enum qn_status member(const struct doc *object, const char *name, json_type type,
                             const json_t **ret_value, struct qn_error *error)
{
    const json_t *value = json_object_get(inner(object), name);

    if (value == NULL)
        return error_set(error, QN_STATUS_CORRUPT, "member \"%s\" is missing", name);
    if (json_typeof(value) != type)
        return error_set(error, QN_STATUS_CORRUPT, "member \"%s\" is not %s", name,
                         type_name(type));
    *ret_value = value;
    return QN_STATUS_OK;
}

enum qn_status doc_get_string(const struct doc *object, const char *name, const char **ret_value,
                              struct qn_error *error)
{
    const json_t *value = NULL;
    enum qn_status status = member(object, name, JSON_STRING, &value, error);

    if (status == QN_STATUS_OK)
        *ret_value = json_string_value(value);
    return status;
}

enum qn_status doc_get_int(const struct doc *object, const char *name, int64_t *ret_value,
                           struct qn_error *error)
{
    const json_t *value = NULL;
    enum qn_status status = member(object, name, JSON_INTEGER, &value, error);

    if (status == QN_STATUS_OK)
        *ret_value = json_integer_value(value);
    return status;
}

enum qn_status doc_get_object(struct doc *object, const char *name, struct doc **ret_object,
                              struct qn_error *error)
{
    const json_t *value = NULL;
    enum qn_status status = member(object, name, JSON_OBJECT, &value, error);

    if (status == QN_STATUS_OK)
        *ret_object = (struct doc *)(uintptr_t)value;
    return status;
}

enum qn_status doc_get_array(const struct doc *object, const char *name,
                             const struct doc **ret_array, struct qn_error *error)
{
    const json_t *value = NULL;
    enum qn_status status = member(object, name, JSON_ARRAY, &value, error);

    if (status == QN_STATUS_OK)
        *ret_array = (const struct doc *)value;
    return status;
}

size_t doc_array_count(const struct doc *array)
{
    return json_array_size(inner(array));
}

const struct doc *doc_array_at(const struct doc *array, size_t index)
{
    return (const struct doc *)json_array_get(inner(array), index);
}
