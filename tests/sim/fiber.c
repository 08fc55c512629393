/* SPDX-License-Identifier: Apache-2.0
 * ucontext, and what the sanitizers must be told about it: ASan which stack it is on, TSan which
 * thread of control. A fiber keeps its stack and its name in TSan for the life of the program, so
 * that neither sees memory change its owner. */
#include "tests/sim/fiber.h"

#include "base/check.h"
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { FIBER_STACK_BYTES = 256 << 10 };

/* One side of a switch: a fiber, or home: the stack on which the world lives. */
struct side {
    ucontext_t context;
    const void *stack;
    size_t stack_bytes;
    void *asan_frames, *tsan_thread;
};

struct fiber {
    struct side side;
    fiber_run *run; /* NULL: at rest */
    void *owner;
};

static struct side home;
static struct fiber *current; /* NULL: the world runs */

static void switch_sides(struct side *from, struct side *to)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&from->asan_frames, to->stack, to->stack_bytes);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(to->tsan_thread, 0);
#endif
    CHECK(swapcontext(&from->context, &to->context) == 0);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(from->asan_frames, NULL, NULL);
#endif
}

/* Runs one call after the other. */
static void fiber_main(void)
{
    struct fiber *fiber = current;

#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &home.stack, &home.stack_bytes);
#endif
    for (;;) {
        fiber->run(fiber->owner);
        fiber->run = NULL;
        fiber_pause();
    }
}

struct fiber *fiber_new(void)
{
    size_t guard_bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct fiber *fiber = calloc(1, sizeof *fiber);
    unsigned char *memory = mmap(NULL, guard_bytes + FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    CHECK(fiber != NULL && memory != MAP_FAILED && mprotect(memory, guard_bytes, PROT_NONE) == 0);
    CHECK(getcontext(&fiber->side.context) == 0);
    fiber->side.stack = memory + guard_bytes;
    fiber->side.stack_bytes = FIBER_STACK_BYTES;
    fiber->side.context.uc_stack.ss_sp = memory + guard_bytes;
    fiber->side.context.uc_stack.ss_size = FIBER_STACK_BYTES;
    makecontext(&fiber->side.context, fiber_main, 0);
#ifdef FIBER_TSAN
    home.tsan_thread = __tsan_get_current_fiber();
    fiber->side.tsan_thread = __tsan_create_fiber(0);
#endif
    return fiber;
}

void fiber_resume(struct fiber *fiber)
{
    CHECK(current == NULL && fiber->run != NULL);
    current = fiber;
    switch_sides(&home, &fiber->side);
    current = NULL;
}

void fiber_start(struct fiber *fiber, fiber_run *run, void *owner)
{
    CHECK(fiber->run == NULL);
    fiber->run = run;
    fiber->owner = owner;
    fiber_resume(fiber);
}

void fiber_pause(void)
{
    CHECK(current != NULL);
    switch_sides(&current->side, &home);
}

bool fiber_is_at_rest(const struct fiber *fiber)
{
    return fiber->run == NULL;
}
