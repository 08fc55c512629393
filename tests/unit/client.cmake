# The client library: one search as a step function, and the handle around it on the inproc bus.
qnode_test(client_bus_test unit/client_bus_test.c unit/client_world.c LIBS channel)
qnode_test(client_coord_test unit/client_coord_test.c LIBS channel)
qnode_test(client_random_test unit/client_random_test.c LIBS channel)
qnode_test(client_retry_test unit/client_retry_test.c unit/client_scene.c LIBS channel)
qnode_test(client_search_test unit/client_search_test.c unit/client_scene.c LIBS channel)
qnode_test(client_shell_test unit/client_shell_test.c unit/client_world.c LIBS channel)
qnode_test(client_unite_test unit/client_unite_test.c LIBS channel)
qnode_test(client_views_test unit/client_views_test.c LIBS channel)
