/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What log_write puts on stderr; static. */
static const char *logged(const char *text)
{
    static char said[2048];
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);

    assert_non_null(file);
    assert_true(kept >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    log_write(LOG_LEVEL_ERROR, "room", "path %s", text);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_int_equal(close(kept), 0);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return said;
}

static void a_line_has_time_level_room_and_text(void **state)
{
    const char *said = logged("/a");

    (void)state;
    assert_int_equal(strlen(said), strlen("2026-01-01T00:00:00.000Z error room: path /a\n"));
    assert_non_null(strstr(said, "Z error room: path /a\n"));
}

static void what_a_peer_wrote_stays_on_its_line(void **state)
{
    const char *said = logged("/a\n2026 error agent: \033[31mforged\r\177\xc3\xa9");

    (void)state;
    assert_non_null(strstr(said, "path /a?2026 error agent: ?[31mforged??\xc3\xa9\n"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_room_and_text),
        cmocka_unit_test(what_a_peer_wrote_stays_on_its_line),
    };

    return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}
