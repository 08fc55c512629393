# The simulated world: one program; 200 seeds, and one seed twice. It has one thread.
if(NOT TARGET coordinator OR QNODE_SANITIZE MATCHES "thread")
  return()
endif()
add_executable(qnode-sim
  sim/calm.c
  sim/checkers.c
  sim/client.c
  sim/client_asks.c
  sim/clock.c
  sim/collection.c
  sim/commands.c
  sim/converge.c
  sim/describe.c
  sim/disk.c
  sim/editor.c
  sim/executor.c
  sim/fiber.c
  sim/flood.c
  sim/habits.c
  sim/heap.c
  sim/inside.c
  sim/leaves.c
  sim/net.c
  sim/observer.c
  sim/operator.c
  sim/options.c
  sim/oracle.c
  sim/process.c
  sim/published.c
  sim/rival.c
  sim/rogue.c
  sim/seams.c
  sim/sim.c
  sim/state_memory.c
  sim/timeline.c
  sim/trace.c
  sim/world.c
)
target_link_libraries(qnode-sim PRIVATE agent coordinator channel segstore base)
# sim/heap.c: allocations of production code can fail. sim/seams.c: where the client library sleeps,
# tells the time and opens its bus.
foreach(wrapped malloc calloc realloc reallocarray aligned_alloc strdup
        clock_monotonic codec_encode getrandom transport_open waiter_wait waiter_wait_until
        waiter_wake)
  target_link_options(qnode-sim PRIVATE -Wl,--wrap=${wrapped})
endforeach()

math(EXPR SIM_SEEDS "200 / ${TEST_DIVISOR}")
add_test(NAME sim_${SIM_SEEDS}_seeds COMMAND qnode-sim --seeds ${SIM_SEEDS})
set_tests_properties(sim_${SIM_SEEDS}_seeds PROPERTIES TIMEOUT 300 PROCESSORS 2)
math(EXPR SAME_SEEDS "(16 + ${TEST_DIVISOR}) / (2 * ${TEST_DIVISOR})")
add_test(NAME sim_same_seed_same_trace
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sim/same_trace ${SAME_SEEDS} $<TARGET_FILE:qnode-sim>)
set_tests_properties(sim_same_seed_same_trace PROPERTIES TIMEOUT 120 PROCESSORS 2)

# Failing the n-th call: the linker leads the calls of our objects through the sweep's fault.c.
add_executable(qnode-sweep
  sim/sweep/agent_operations.c
  sim/sweep/case.c
  sim/sweep/client_operations.c
  sim/sweep/coordinator_operations.c
  sim/sweep/fault.c
  sim/sweep/operation.c
  sim/sweep/ports.c
  sim/sweep/scene.c
  sim/sweep/stage.c
  sim/sweep/stage_orders.c
  sim/sweep/sweep.c
)
target_link_libraries(qnode-sweep PRIVATE agent coordinator coordinator_sqlite channel segstore base)
foreach(call malloc calloc realloc reallocarray aligned_alloc strdup asprintf free
    mmap munmap madvise open close pread write fsync rename
    log_write clock_monotonic waiter_wait waiter_wait_until transport_open)
  target_link_options(qnode-sweep PRIVATE -Wl,--wrap=${call})
endforeach()
add_test(NAME sim_sweep COMMAND qnode-sweep)
set_tests_properties(sim_sweep PROPERTIES TIMEOUT 300 PROCESSORS 2)

# Small worlds walked to the end.
add_executable(qnode-exhaust
  sim/exhaustive/bench.c
  sim/exhaustive/exhaust.c
  sim/exhaustive/image.c
  sim/exhaustive/letters.c
  sim/exhaustive/replay.c
  sim/exhaustive/rules.c
  sim/exhaustive/sight.c
  sim/exhaustive/story.c
  sim/exhaustive/walk.c
  sim/exhaustive/worlds.c
)
target_link_libraries(qnode-exhaust PRIVATE judgement_node)
add_test(NAME sim_exhaustive COMMAND qnode-exhaust --divide ${TEST_DIVISOR})
set_tests_properties(sim_exhaustive PROPERTIES TIMEOUT 300 PROCESSORS 2)
