# Real processes, one script each: tests/e2e/NAME_test.py BIN_DIR.
set(E2E kill)
if(NOT QNODE_SANITIZE MATCHES "thread") # kill has their threads, and they crawl
  list(APPEND E2E index paging recall retained roles rows16)
  set(FOREIGN nats)
endif()
if(NOT QNODE_SANITIZE) # a sanitizer's own threads sleep; and what takes minutes runs once
  list(APPEND E2E strace)
  list(APPEND FOREIGN kafka)
endif()
foreach(name ${E2E})
  add_test(NAME e2e_${name} COMMAND python3
    ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${name}_test.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(e2e_${name} PROPERTIES TIMEOUT 400 RUN_SERIAL ON)
endforeach()
if(NOT QNODE_SANITIZE) # the server dies at random; at each step of a hand-off: contract/run
  foreach(bus nats kafka)
    add_test(NAME e2e_outage_${bus} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/e2e/outage_test.py
      ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} --bus ${bus} --only random)
    set_tests_properties(e2e_outage_${bus} PROPERTIES TIMEOUT 400 RUN_SERIAL ON
      SKIP_RETURN_CODE 77)
  endforeach()
endif()
add_test(NAME e2e_ctl COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/ctl_test.sh
  ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
set_tests_properties(e2e_ctl PROPERTIES TIMEOUT 120 RUN_SERIAL ON)

# A coordinator in Python that knows PROTOCOL.md only; skipped, with the reason, where its packages,
# or for Kafka a broker, cannot be had.
foreach(bus ${FOREIGN})
  add_test(NAME foreign_${bus} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/foreign/run ${bus}
    --build ${CMAKE_BINARY_DIR})
  set_tests_properties(foreign_${bus} PROPERTIES TIMEOUT 600 RUN_SERIAL ON
    SKIP_REGULAR_EXPRESSION "SKIPPED, n/a")
endforeach()
