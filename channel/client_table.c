/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_table.h"

#include "base/check.h"

static uint32_t slot_of(const struct client_table *table, int64_t key)
{
    uint64_t mixed = (uint64_t)key * UINT64_C(0x9E3779B97F4A7C15);

    return (uint32_t)(mixed >> 32) & (table->slots_count - 1);
}

bool client_table_init(struct client_table *table, struct arena *arena, size_t expected_count)
{
    uint32_t wanted = 16;

    while (wanted < expected_count * 2)
        wanted *= 2;
    if (table->slots_count < wanted) {
        table->slots = arena_alloc(arena, wanted * sizeof *table->slots);
        table->slots_count = table->slots == NULL ? 0 : wanted;
    }
    for (uint32_t i = 0; i < table->slots_count; i++)
        table->slots[i].value = CLIENT_TABLE_NONE;
    table->used_count = 0;
    return table->slots_count > 0;
}

static struct client_table_slot *probe(const struct client_table *table, int64_t key)
{
    uint32_t at = slot_of(table, key);

    while (table->slots[at].value != CLIENT_TABLE_NONE && table->slots[at].key != key)
        at = (at + 1) & (table->slots_count - 1);
    return &table->slots[at];
}

uint32_t client_table_find(const struct client_table *table, int64_t key)
{
    return table->slots_count == 0 ? CLIENT_TABLE_NONE : probe(table, key)->value;
}

static bool grow(struct client_table *table, struct arena *arena)
{
    struct client_table larger = {0};

    if (!client_table_init(&larger, arena, table->slots_count))
        return false;
    for (uint32_t i = 0; i < table->slots_count; i++)
        if (table->slots[i].value != CLIENT_TABLE_NONE)
            *probe(&larger, table->slots[i].key) = table->slots[i];
    larger.used_count = table->used_count;
    *table = larger;
    return true;
}

bool client_table_add(struct client_table *table, struct arena *arena, int64_t key, uint32_t value)
{
    CHECK(value != CLIENT_TABLE_NONE);
    if ((table->used_count + 1) * 2 > table->slots_count && !grow(table, arena))
        return false;
    struct client_table_slot *slot = probe(table, key);
    if (slot->value != CLIENT_TABLE_NONE)
        return true;
    *slot = (struct client_table_slot){.key = key, .value = value};
    table->used_count++;
    return true;
}
