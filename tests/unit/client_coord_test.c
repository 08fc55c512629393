/* SPDX-License-Identifier: Apache-2.0
 * Answers of a coordinator that is asked twice: pages of two answers meet in one call. */
#include "tests/test.h"

#include "channel/codec.h"
#include "channel/subject.h"
#include "channel/transport.h"
#include "qnode/control.h"

/* What a coordinator sends when it is asked for the n-th time: pages of versions of a view. */
struct page {
    uint32_t ask, page, version, answer_number;
};

struct script {
    struct transport transport;
    const struct page *pages;
    size_t pages_count;
    uint32_t asks_count;
    uint32_t seen[2]; /* versions of the pages that the call gave */
    uint64_t numbers[2];
    uint32_t seen_count;
};

static void send_page(struct script *script, const struct message *request, const struct page *page)
{
    struct collection_view view = {.collection_id = 5,
                                   .name = "c",
                                   .version = {1, page->version},
                                   .metric = QN_METRIC_L2,
                                   .dim = 2,
                                   .page = page->page,
                                   .pages = 2};
    struct message answer = {.cluster = "test",
                             .sender = "coordinator",
                             .request_id = request->request_id,
                             .kind = MESSAGE_COORD_ANSWER,
                             .coord_answer = {.text = "",
                                              .view = &view,
                                              .page = page->page,
                                              .pages = 2,
                                              .answer_number = page->answer_number}};
    struct arena arena;
    const uint8_t *bytes;
    size_t size;

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    assert_int_equal(codec_encode(&answer, &arena, &bytes, &size, NULL), QN_STATUS_OK);
    (void)script->transport.ops->publish(script->transport.self, request->reply_to, NULL, bytes,
                                         size);
    arena_done(&arena);
}

static void on_request(void *owner, struct bus_message *bytes)
{
    struct script *script = owner;
    struct message request;
    struct arena arena;

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    assert_int_equal(codec_decode(bytes->bytes, bytes->size, &arena, &request, NULL), QN_STATUS_OK);
    script->asks_count++;
    for (size_t i = 0; i < script->pages_count; i++)
        if (script->pages[i].ask == script->asks_count)
            send_page(script, &request, &script->pages[i]);
    arena_done(&arena);
    bytes->release(bytes);
}

static void note(void *owner, const struct coord_answer *answer)
{
    struct script *script = owner;

    if (script->seen_count == 2)
        return;
    script->numbers[script->seen_count] = answer->answer_number;
    script->seen[script->seen_count++] = (uint32_t)answer->view->version.version;
}

static void ask(struct script *script, const char *url)
{
    struct qn_client_options options = {.url = url, .cluster = "test"};
    struct coord_request request = {.verb = COORD_GET_VIEW, .collection = "5", .folder = ""};
    struct qn_client *client;

    assert_int_equal(transport_open(url, "coordinator", 1000, &script->transport, NULL),
                     QN_STATUS_OK);
    assert_int_equal(script->transport.ops->subscribe(script->transport.self,
                                                      subject_coord("test").text, on_request,
                                                      script, NULL),
                     QN_STATUS_OK);
    assert_int_equal(qn_client_open(&options, &client, NULL), QN_STATUS_OK);
    assert_int_equal(qn_coord_call(client, &request, 2000, note, script, NULL), QN_STATUS_OK);
    qn_client_close(client);
    script->transport.ops->close(script->transport.self);
}

static void pages_of_an_older_view_give_way_to_a_newer_one(void **state)
{
    const struct page pages[] = {{1, 1, 7, 0}, {2, 0, 8, 0}, {2, 1, 8, 0}};
    struct script script = {.pages = pages, .pages_count = 3};

    (void)state;
    ask(&script, "inproc://coord-newer");
    assert_int_equal(script.asks_count, 2);
    assert_int_equal(script.seen[0], 8);
    assert_int_equal(script.seen[1], 8);
}

static void late_pages_of_an_older_view_do_not_count(void **state)
{
    const struct page pages[] = {{1, 0, 8, 0}, {2, 1, 7, 0}, {3, 1, 8, 0}};
    struct script script = {.pages = pages, .pages_count = 3};

    (void)state;
    ask(&script, "inproc://coord-older");
    assert_int_equal(script.asks_count, 3);
    assert_int_equal(script.seen[0], 8);
    assert_int_equal(script.seen[1], 8);
}

static void pages_of_two_answers_never_join(void **state)
{
    const struct page pages[] = {{1, 0, 8, 1}, {2, 1, 8, 2}, {3, 0, 8, 3}, {3, 1, 8, 3}};
    struct script script = {.pages = pages, .pages_count = 4};

    (void)state;
    ask(&script, "inproc://coord-two");
    assert_int_equal(script.asks_count, 3);
    assert_int_equal(script.numbers[0], 3);
    assert_int_equal(script.numbers[1], 3);
}

static void late_pages_of_an_older_answer_do_not_count(void **state)
{
    const struct page pages[] = {{1, 1, 8, 5}, {2, 0, 8, 4}, {3, 0, 8, 5}};
    struct script script = {.pages = pages, .pages_count = 3};

    (void)state;
    ask(&script, "inproc://coord-late");
    assert_int_equal(script.asks_count, 3);
    assert_int_equal(script.numbers[0], 5);
    assert_int_equal(script.numbers[1], 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_an_older_view_give_way_to_a_newer_one),
        cmocka_unit_test(late_pages_of_an_older_view_do_not_count),
        cmocka_unit_test(pages_of_two_answers_never_join),
        cmocka_unit_test(late_pages_of_an_older_answer_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
