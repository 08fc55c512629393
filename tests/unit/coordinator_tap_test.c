/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/tap_gist.h"

#include "base/check.h"
#include "tests/test.h"

static void a_request_to_the_coordinator_reads_as_a_sentence(void **state)
{
    static const struct {
        struct coord_request request;
        const char *text;
    } rows[] = {
        {{.verb = COORD_LIST_NODES, .collection = "", .folder = ""}, "LIST_NODES"},
        {{.verb = COORD_LOAD_COLLECTION, .collection = "", .folder = "/data/words"},
         "LOAD_COLLECTION /data/words"},
        {{.verb = COORD_LOAD_BALANCE, .collection = "", .folder = "", .src_node_id = 1},
         "LOAD_BALANCE from node 1"},
        {{.verb = COORD_LOAD_BALANCE, .collection = "y", .folder = "", .src_node_id = 1},
         "LOAD_BALANCE y from node 1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct message message = {
            .kind = MESSAGE_COORD_REQUEST, .sender = "", .coord_request = rows[i].request};
        struct tap_gist gist;
        tap_gist(&message, &gist);
        assert_string_equal(gist.text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_to_the_coordinator_reads_as_a_sentence),
    };

    return cmocka_run_group_tests_name("coordinator_tap", tests, NULL, NULL);
}
