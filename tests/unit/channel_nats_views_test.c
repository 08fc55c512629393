/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/nats_views.h"

#include "base/check.h"
#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

#define VIEWS "qnode.demo.query.>"

static void the_texts_of_the_requests(void **state)
{
    static const char *const others[] = {"qnode.demo.query.7",
                                         "qnode.demo.coord",
                                         "qnode.demo.>",
                                         "qnode.de mo.query.>",
                                         "x.demo.query.>",
                                         "qnode..query.>",
                                         ">",
                                         ""};
    struct nats_views views;
    char text[NATS_VIEWS_TEXT_BYTES];

    (void)state;
    assert_true(nats_views_of("qnode.demo.query.*", &views));
    assert_true(nats_views_of(VIEWS, &views));
    assert_string_equal(views.stream, "qnode-demo-views");
    assert_string_equal(views.pages, "qnode.demo.query.*.*");
    assert_string_equal(views.get, "$JS.API.DIRECT.GET.qnode-demo-views");
    nats_views_get_text(&views, 42, text);
    assert_string_equal(text, "{\"seq\":42,\"next_by_subj\":\"qnode.demo.query.*.*\"}");
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(nats_views_of(others[i], &views));
}

static void the_answers_of_the_server(void **state)
{
    static const struct {
        const char *text;
        enum qn_status status;
    } rows[] = {
        {"{\"type\":\"io.nats.jetstream.api.v1.stream_create_response\",\"config\":{}}",
         QN_STATUS_OK},
        {"{\"error\":{\"code\":400,\"err_code\":10058,\"description\":\"stream name already in "
         "use with a different configuration\"}}",
         QN_STATUS_CONFLICT},
        {"{\"error\":{\"code\":503,\"err_code\":10076,\"description\":\"JetStream system "
         "temporarily unavailable\"}}",
         QN_STATUS_UNSUPPORTED},
        {"{\"error\":{\"code\":503,\"err_code\":10039,\"description\":\"jetstream not enabled for "
         "account\"}}",
         QN_STATUS_UNSUPPORTED},
        {"{\"error\":{\"code\":500,\"err_code\":10047,\"description\":\"insufficient storage\"}}",
         QN_STATUS_UNAVAILABLE},
        {"{\"error\":{", QN_STATUS_UNAVAILABLE},
        {"", QN_STATUS_OK},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(nats_views_check_answer(rows[i].text, strlen(rows[i].text), NULL),
                         rows[i].status);
}

#define NEEDED                                                                                     \
    "\"subjects\":[\"qnode.demo.query.*.*\"],\"retention\":\"limits\",\"discard\":\"old\","        \
    "\"max_msgs\":-1,\"max_age\":0,\"max_msgs_per_subject\":1,\"allow_direct\":true"
#define OPERATORS "\"num_replicas\":3,\"placement\":{\"cluster\":\"east\",\"tags\":[\"ssd\"]}"

static void only_what_retaining_needs_is_changed(void **state)
{
    static const struct {
        const char *info, *update; /* update NULL: nothing is to be changed */
        enum qn_status status;
    } rows[] = {
        {"{\"config\":{" NEEDED "," OPERATORS "}}", NULL, QN_STATUS_OK},
        {"{\"config\":{\"max_age\":5," OPERATORS ",\"subjects\":[\"a\"]},\"state\":{}}",
         "{\"max_age\":0," OPERATORS ",\"subjects\":[\"qnode.demo.query.*.*\"],"
         "\"retention\":\"limits\",\"discard\":\"old\",\"max_msgs\":-1,"
         "\"max_msgs_per_subject\":1,\"allow_direct\":true}",
         QN_STATUS_OK},
        {"{\"config\":[]}", NULL, QN_STATUS_CORRUPT},
        {"{}", NULL, QN_STATUS_CORRUPT},
        {"", NULL, QN_STATUS_CORRUPT},
    };
    struct nats_views views;

    (void)state;
    assert_true(nats_views_of(VIEWS, &views));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *text = NULL;
        assert_int_equal(nats_views_amend(&views, rows[i].info, strlen(rows[i].info), &text, NULL),
                         rows[i].status);
        assert_true((text == NULL) == (rows[i].update == NULL));
        if (text != NULL)
            assert_string_equal(text, rows[i].update);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_texts_of_the_requests),
        cmocka_unit_test(the_answers_of_the_server),
        cmocka_unit_test(only_what_retaining_needs_is_changed),
    };

    return cmocka_run_group_tests_name("nats_views", tests, NULL, NULL);
}
