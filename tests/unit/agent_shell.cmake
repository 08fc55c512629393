# The agent's shell: the whole agent on an inproc bus, and its parts.
add_library(agent_shell_world STATIC unit/agent_shell_world.c
  unit/agent_shell_world_search.c)
target_link_libraries(agent_shell_world PUBLIC agent PRIVATE cmocka)
foreach(name config life search short state threads)
  qnode_test(agent_shell_${name}_test unit/agent_shell_${name}_test.c LIBS agent_shell_world agent)
endforeach()
foreach(name memory reduce)
  qnode_test(agent_${name}_test unit/agent_${name}_test.c LIBS agent)
endforeach()
