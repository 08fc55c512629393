# Tests of the store.
add_library(segstore_fixture STATIC unit/segstore_fixture.c)
target_link_libraries(segstore_fixture PUBLIC segstore)
qnode_test(segstore_corruption_test unit/segstore_corruption_test.c NO_RACES LIBS segstore_fixture)
qnode_test(segstore_format_test unit/segstore_format_test.c NO_RACES LIBS segstore_fixture)
qnode_test(segstore_half_test unit/segstore_half_test.c NO_RACES LIBS segstore)
qnode_test(segstore_index_test unit/segstore_index_test.c unit/segstore_index_fixture.c
  LIBS segstore TIMEOUT 300)
qnode_test(segstore_graph_test unit/segstore_graph_test.c unit/segstore_index_fixture.c
  LIBS segstore TIMEOUT 300)
qnode_test(segstore_graph_batch_test unit/segstore_graph_batch_test.c
  unit/segstore_index_fixture.c NO_RACES LIBS segstore)
qnode_test(segstore_graph_section_test unit/segstore_graph_section_test.c
  unit/segstore_index_fixture.c NO_RACES LIBS segstore)
qnode_test(segstore_calibrate_test unit/segstore_calibrate_test.c unit/segstore_index_fixture.c
  LIBS segstore)
qnode_test(segstore_loader_test unit/segstore_loader_test.c LIBS segstore_fixture)
qnode_test(segstore_manifest_test unit/segstore_manifest_test.c NO_RACES LIBS segstore_fixture)
qnode_test(segstore_queries_test unit/segstore_queries_test.c NO_RACES LIBS segstore_fixture)
qnode_test(segstore_rows16_test unit/segstore_rows16_test.c unit/segstore_index_fixture.c NO_RACES
  LIBS segstore_fixture)
qnode_test(segstore_search_test unit/segstore_search_test.c NO_RACES LIBS segstore_fixture)
qnode_test(segstore_segment_test unit/segstore_segment_test.c LIBS segstore_fixture)
qnode_test(segstore_topk_test unit/segstore_topk_test.c NO_RACES LIBS segstore_fixture)
qnode_test(segstore_vectors_test unit/segstore_vectors_test.c NO_RACES LIBS segstore_fixture)
qnode_test(segstore_ivf_best_test unit/segstore_ivf_best_test.c NO_RACES LIBS segstore)
qnode_test(kernels_pool_test unit/kernels_pool_test.c NO_RACES LIBS segstore)
qnode_test(kernels_rows16_test unit/kernels_rows16_test.c NO_RACES LIBS segstore)
qnode_test(kernels_test unit/kernels_test.c NO_RACES LIBS segstore)
qnode_test(kernels_tile_test unit/kernels_tile_test.c NO_RACES LIBS segstore)
qnode_test(kernels_codes_test unit/kernels_codes_test.c NO_RACES LIBS segstore)

if(NOT QNODE_SANITIZE MATCHES "thread") # one thread, and slow to start
  add_test(NAME e2e_qseg_corruption COMMAND
    ${CMAKE_CURRENT_SOURCE_DIR}/e2e/qseg_corruption.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(e2e_qseg_corruption PROPERTIES TIMEOUT 300 PROCESSORS 2)
endif()
