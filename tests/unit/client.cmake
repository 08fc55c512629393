# The client library: one search as a step function, and the shell around it on the inproc bus.
foreach(name client_search client_unite)
  qnode_test(${name}_test unit/${name}_test.c LIBS channel)
endforeach()
