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
set_tests_properties(sim_exhaustive PROPERTIES TIMEOUT 300)
