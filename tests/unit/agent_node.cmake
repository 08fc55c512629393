add_library(agent_node_rig STATIC unit/agent_node_rig.c)
target_link_libraries(agent_node_rig PUBLIC judgement_node cmocka)

qnode_test(agent_life_test unit/agent_life_test.c LIBS judgement_node)
qnode_test(agent_ledger_test unit/agent_ledger_test.c LIBS judgement_node)
foreach(test command load)
  qnode_test(agent_node_${test}_test unit/agent_node_${test}_test.c LIBS agent_node_rig)
endforeach()
