# The simulated world: one program; 200 seeds, and one seed twice.
if(NOT TARGET coordinator)
  return()
endif()
add_executable(qnode-sim
  sim/checkers.c
  sim/client.c
  sim/clock.c
  sim/collection.c
  sim/commands.c
  sim/converge.c
  sim/describe.c
  sim/disk.c
  sim/editor.c
  sim/executor.c
  sim/habits.c
  sim/leaves.c
  sim/net.c
  sim/observer.c
  sim/operator.c
  sim/options.c
  sim/oracle.c
  sim/process.c
  sim/rogue.c
  sim/sim.c
  sim/state_memory.c
  sim/timeline.c
  sim/trace.c
  sim/views.c
  sim/world.c
)
target_link_libraries(qnode-sim PRIVATE agent coordinator channel segstore base)

math(EXPR SIM_SEEDS "200 / ${TEST_DIVISOR}")
add_test(NAME sim_${SIM_SEEDS}_seeds COMMAND qnode-sim --seeds ${SIM_SEEDS})
set_tests_properties(sim_${SIM_SEEDS}_seeds PROPERTIES TIMEOUT 300)
math(EXPR SAME_SEEDS "(16 + ${TEST_DIVISOR}) / (2 * ${TEST_DIVISOR})")
add_test(NAME sim_same_seed_same_trace
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sim/same_trace $<TARGET_FILE:qnode-sim> ${SAME_SEEDS})
set_tests_properties(sim_same_seed_same_trace PROPERTIES TIMEOUT 120)

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
if(NOT QNODE_SANITIZE MATCHES "thread") # one thread, and slow to fork
  add_test(NAME sim_sweep COMMAND qnode-sweep)
  set_tests_properties(sim_sweep PROPERTIES TIMEOUT 300)
endif()
