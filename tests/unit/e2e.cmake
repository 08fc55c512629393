# Real processes, one script each: tests/e2e/NAME_test.py BIN_DIR.
add_executable(scripted-coordinator ${CMAKE_CURRENT_SOURCE_DIR}/e2e/scripted_coordinator.c
  ${CMAKE_CURRENT_SOURCE_DIR}/e2e/script.c)
target_link_libraries(scripted-coordinator PRIVATE channel segstore base)

set(E2E kill foreign outage paging retained roles)
if(NOT QNODE_SANITIZE) # a sanitizer's own threads sleep
  list(APPEND E2E strace)
endif()
foreach(name ${E2E})
  add_test(NAME e2e_${name} COMMAND python3
    ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${name}_test.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(e2e_${name} PROPERTIES TIMEOUT 400 RUN_SERIAL ON)
endforeach()
add_test(NAME e2e_ctl COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/ctl_test.sh
  ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
set_tests_properties(e2e_ctl PROPERTIES TIMEOUT 120 RUN_SERIAL ON)
