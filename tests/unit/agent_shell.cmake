# The agent's shell: the whole agent on an inproc bus, and its parts.
add_library(agent_shell_world STATIC unit/agent_shell_world.c unit/agent_shell_world_search.c)
target_link_libraries(agent_shell_world PUBLIC agent PRIVATE cmocka)

qnode_test(agent_memory_test unit/agent_memory_test.c LIBS agent)
qnode_test(agent_plan_test unit/agent_plan_test.c LIBS agent)
qnode_test(agent_reduce_test unit/agent_reduce_test.c LIBS agent)
qnode_test(agent_shell_config_test unit/agent_shell_config_test.c LIBS agent)
qnode_test(agent_shell_join_test unit/agent_shell_join_test.c LIBS agent_shell_world)
qnode_test(agent_shell_slice_test unit/agent_shell_slice_test.c LIBS agent_shell_world)
qnode_test(agent_shell_life_test unit/agent_shell_life_test.c LIBS agent_shell_world)
qnode_test(agent_shell_search_test unit/agent_shell_search_test.c LIBS agent_shell_world)
qnode_test(agent_shell_short_test unit/agent_shell_short_test.c LIBS agent_shell_world)
qnode_test(agent_shell_state_test unit/agent_shell_state_test.c LIBS agent_shell_world)
qnode_test(agent_shell_threads_test unit/agent_shell_threads_test.c LIBS agent_shell_world)
# On a real bus.
qnode_test(nats_flood_test contract/nats_flood_test.c contract/bus.c contract/collector.c
  contract/nats_server.c LIBS agent)
set_tests_properties(nats_flood_test PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
