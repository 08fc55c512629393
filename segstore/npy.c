/* SPDX-License-Identifier: Apache-2.0
 * The head is a Python dict in text: {'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }
 */
#include "segstore/npy.h"

#include "base/check.h"
#include "base/error.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC_BYTES = 6, LENGTH_AT = 8 };

/* Where the value of 'name' begins, or NULL. */
static const char *find_value(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    if (found == NULL)
        return NULL;
    found += strlen(name);
    while (isspace((unsigned char)*found) || *found == ':')
        found++;
    return found;
}

static bool element_from(const char *descr, enum vectors_element *ret_element)
{
    static const struct {
        const char *name;
        enum vectors_element element;
    } names[] = {{"'<f4'", VECTORS_F32},
                 {"'<f8'", VECTORS_F64},
                 {"'|u1'", VECTORS_U8},
                 {"'|i1'", VECTORS_I8}};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strncmp(descr, names[i].name, strlen(names[i].name)) == 0) {
            *ret_element = names[i].element;
            return true;
        }
    }
    return false;
}

/* "(rows, dim)" and nothing else between the parentheses. */
static bool shape_from(const char *text, struct npy *npy)
{
    char *end = NULL;

    if (*text++ != '(' || !isdigit((unsigned char)*text))
        return false;
    unsigned long long rows = strtoull(text, &end, 10);
    if (*end++ != ',' || !(*end == ' ' || isdigit((unsigned char)*end)))
        return false;
    unsigned long long dim = strtoull(end, &end, 10);
    if (*end != ')' || dim > UINT32_MAX)
        return false;
    npy->rows_count = rows;
    npy->dim = (uint32_t)dim;
    return true;
}

static enum qn_status parse_dict(const char *text, struct npy *npy, struct qn_error *error)
{
    const char *descr = find_value(text, "'descr'");
    const char *order = find_value(text, "'fortran_order'");
    const char *shape = find_value(text, "'shape'");

    if (descr == NULL || order == NULL || shape == NULL)
        return error_set(error, QN_STATUS_CORRUPT, "npy head without descr, fortran_order, shape");
    if (!element_from(descr, &npy->element))
        return error_set(error, QN_STATUS_UNSUPPORTED,
                         "npy type %.8s; <f4, <f8, |u1 and |i1 are supported", descr);
    if (strncmp(order, "False", 5) != 0)
        return error_set(error, QN_STATUS_UNSUPPORTED, "npy in Fortran order");
    if (!shape_from(shape, npy))
        return error_set(error, QN_STATUS_UNSUPPORTED, "npy shape %.24s; two dimensions are wanted",
                         shape);
    return QN_STATUS_OK;
}

enum qn_status npy_parse(const unsigned char *bytes, size_t size, struct npy *ret_npy,
                         struct qn_error *error)
{
    char text[NPY_HEAD_BYTES_MAX + 1];
    struct npy npy = {0};

    if (size < LENGTH_AT + 4 || memcmp(bytes, "\x93NUMPY", MAGIC_BYTES) != 0)
        return error_set(error, QN_STATUS_CORRUPT, "no .npy file (magic)");
    unsigned version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3)
        return error_set(error, QN_STATUS_UNSUPPORTED, "npy version %u", version);
    size_t dict_at = version == 1 ? LENGTH_AT + 2 : LENGTH_AT + 4;
    size_t dict_bytes = bytes[LENGTH_AT] | (size_t)bytes[LENGTH_AT + 1] << 8;
    if (version > 1)
        dict_bytes |= (size_t)bytes[LENGTH_AT + 2] << 16 | (size_t)bytes[LENGTH_AT + 3] << 24;
    if (dict_bytes > size - dict_at || size > NPY_HEAD_BYTES_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "npy head of %zu bytes", dict_bytes);
    memcpy(text, bytes + dict_at, dict_bytes);
    text[dict_bytes] = '\0';
    npy.data_offset = dict_at + dict_bytes;
    enum qn_status status = parse_dict(text, &npy, error);
    if (status == QN_STATUS_OK)
        *ret_npy = npy;
    return status;
}
