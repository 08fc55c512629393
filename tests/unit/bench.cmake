add_test(NAME compare_test COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/unit/compare_test.py)
if(NOT QNODE_SANITIZE MATCHES "thread") # one thread in much memory
  add_test(NAME bench_kernels_test COMMAND python3
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/bench_kernels_test.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(bench_kernels_test PROPERTIES PROCESSORS 2)
endif()
