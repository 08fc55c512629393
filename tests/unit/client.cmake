# The client library: one search as a step function, and the shell around it on the inproc bus.
qnode_test(client_unite_test unit/client_unite_test.c LIBS channel)
foreach(name client_retry client_search)
  qnode_test(${name}_test unit/${name}_test.c unit/client_scene.c LIBS channel)
endforeach()
foreach(name client_bus client_shell)
  qnode_test(${name}_test unit/${name}_test.c unit/client_world.c LIBS channel)
endforeach()
