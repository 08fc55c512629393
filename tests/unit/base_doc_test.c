/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"
#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

static void what_is_built_can_be_parsed(void **state)
{
    struct doc *doc = doc_object(), *array = doc_array();
    struct qn_error error;
    const struct doc *list;
    const char *text;
    int64_t number;

    (void)state;
    doc_append(array, doc_object());
    doc_append(array, doc_object());
    doc_set(doc, "list", array);
    doc_set_int(doc, "id", INT64_MIN);
    doc_set_string(doc, "name", "glove");
    doc_set_bool(doc, "yes", true);
    doc_set_number(doc, "half", 0.5);
    doc_set_string(doc, "text", "\xff");
    char *json = doc_to_text(doc);
    doc_free(doc);

    doc = doc_parse(json, strlen(json), &error);
    assert_non_null(doc);
    assert_int_equal(doc_get_int(doc, "id", &number, &error), QN_STATUS_OK);
    assert_true(number == INT64_MIN);
    assert_int_equal(doc_get_string(doc, "name", &text, &error), QN_STATUS_OK);
    assert_string_equal(text, "glove");
    assert_int_equal(doc_get_array(doc, "list", &list, &error), QN_STATUS_OK);
    assert_int_equal(doc_array_count(list), 2);
    assert_int_equal(doc_get_string(doc, "text", &text, &error), QN_STATUS_OK);
    assert_string_equal(text, "(not UTF-8)");
    doc_free(doc);
    free(json);
}

static void errors_name_the_member(void **state)
{
    static const char json[] = "{\"a\": 1}";
    struct qn_error error;
    const char *text;
    int64_t number;
    struct doc *doc = doc_parse(json, strlen(json), &error);

    (void)state;
    assert_non_null(doc);
    assert_int_equal(doc_get_int(doc, "b", &number, &error), QN_STATUS_CORRUPT);
    assert_string_equal(error.text, "member \"b\" is missing");
    assert_int_equal(doc_get_string(doc, "a", &text, &error), QN_STATUS_CORRUPT);
    assert_string_equal(error.text, "member \"a\" is not a string");
    doc_free(doc);
}

static void what_is_no_json_is_refused_with_its_line(void **state)
{
    static const char *const bad[] = {"{", "", "{\"a\": 1, \"a\": 2}", "[1,]", "{\"a\": \"\xff\"}"};
    struct qn_error error;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(doc_parse(bad[i], strlen(bad[i]), &error));
        assert_int_equal(error.status, QN_STATUS_CORRUPT);
        assert_memory_equal(error.text, "JSON line 1: ", 13);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_can_be_parsed),
        cmocka_unit_test(errors_name_the_member),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_line),
    };

    return cmocka_run_group_tests_name("base_doc", tests, NULL, NULL);
}
