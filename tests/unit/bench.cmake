add_test(NAME compare_test COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/unit/compare_test.py)
