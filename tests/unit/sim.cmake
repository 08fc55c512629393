# The simulated world: one program; 200 seeds, and one seed twice.
if(NOT TARGET coordinator)
  return()
endif()
add_executable(qnode-sim
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
  sim/habits.c
  sim/leaves.c
  sim/net.c
  sim/observer.c
  sim/operator.c
  sim/options.c
  sim/oracle.c
  sim/process.c
  sim/rogue.c
  sim/seams.c
  sim/sim.c
  sim/state_memory.c
  sim/timeline.c
  sim/trace.c
  sim/world.c
)
target_link_libraries(qnode-sim PRIVATE agent coordinator channel segstore base)
# Where the client library sleeps, tells the time and opens its bus: sim/seams.c.
foreach(seam clock_monotonic codec_encode getrandom transport_open waiter_wait waiter_wait_until
        waiter_wake)
  target_link_options(qnode-sim PRIVATE -Wl,--wrap=${seam})
endforeach()

math(EXPR SIM_SEEDS "200 / ${TEST_DIVISOR}")
add_test(NAME sim_${SIM_SEEDS}_seeds COMMAND qnode-sim --seeds ${SIM_SEEDS})
set_tests_properties(sim_${SIM_SEEDS}_seeds PROPERTIES TIMEOUT 300)
math(EXPR SAME_SEEDS "(16 + ${TEST_DIVISOR}) / (2 * ${TEST_DIVISOR})")
add_test(NAME sim_same_seed_same_trace
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sim/same_trace $<TARGET_FILE:qnode-sim> ${SAME_SEEDS})
set_tests_properties(sim_same_seed_same_trace PROPERTIES TIMEOUT 120)
