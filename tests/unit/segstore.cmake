# Tests of the store.
add_library(segstore_fixture STATIC unit/segstore_fixture.c)
target_link_libraries(segstore_fixture PUBLIC segstore)
foreach(test corruption format loader manifest search segment topk vectors)
  qnode_test(segstore_${test}_test unit/segstore_${test}_test.c LIBS segstore_fixture)
endforeach()
qnode_test(kernels_test unit/kernels_test.c LIBS segstore)

add_test(NAME e2e_qseg_corruption COMMAND
  ${CMAKE_CURRENT_SOURCE_DIR}/e2e/qseg_corruption.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
set_tests_properties(e2e_qseg_corruption PROPERTIES TIMEOUT 300)
