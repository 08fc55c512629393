# Real processes, one script each: tests/e2e/NAME_test.py BIN_DIR. Those that measure how long things
# take, or wait for what the kernel does, are alone on the machine.
set(E2E_ALONE kill)
if(NOT QNODE_SANITIZE MATCHES "thread") # kill has their threads, and they crawl
  set(E2E index paging recall retained roles rows16)
  set(FOREIGN nats)
endif()
if(NOT QNODE_SANITIZE) # a sanitizer's own threads sleep; and what takes minutes runs once
  list(APPEND E2E_ALONE strace)
  list(APPEND FOREIGN kafka)
endif()
foreach(name ${E2E} ${E2E_ALONE})
  add_test(NAME e2e_${name} COMMAND python3
    ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${name}_test.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(e2e_${name} PROPERTIES TIMEOUT 400 PROCESSORS 2)
  if(name IN_LIST E2E_ALONE AND NOT QNODE_SANITIZE) # which have four times as long for all
    set_tests_properties(e2e_${name} PROPERTIES RUN_SERIAL ON)
  endif()
endforeach()
if(NOT QNODE_SANITIZE) # the server dies at random, and at each step of a hand-off (Kafka: contract/run)
  foreach(bus nats jetstream)
    add_test(NAME e2e_steps_${bus} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/e2e/outage_test.py
      ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} --bus ${bus} --only steps)
    set_tests_properties(e2e_steps_${bus} PROPERTIES TIMEOUT 400 SKIP_RETURN_CODE 77) # it waits
  endforeach()
  foreach(bus nats kafka)
    add_test(NAME e2e_outage_${bus} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/e2e/outage_test.py
      ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} --bus ${bus} --only random)
    set_tests_properties(e2e_outage_${bus} PROPERTIES TIMEOUT 400 RUN_SERIAL ON
      SKIP_RETURN_CODE 77)
  endforeach()
endif()
if(NOT QNODE_SANITIZE MATCHES "thread")
  add_test(NAME e2e_ctl COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/ctl_test.sh
    ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(e2e_ctl PROPERTIES TIMEOUT 120 PROCESSORS 2)
endif()

# A coordinator in Python that knows PROTOCOL.md only; skipped, with the reason, where its packages,
# or for Kafka a broker, cannot be had.
foreach(bus ${FOREIGN})
  add_test(NAME foreign_${bus} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/foreign/run ${bus}
    --build ${CMAKE_BINARY_DIR})
  set_tests_properties(foreign_${bus} PROPERTIES TIMEOUT 600 PROCESSORS 2
    SKIP_REGULAR_EXPRESSION "SKIPPED, n/a")
  if(bus STREQUAL kafka) # a broker in Java starts beside nothing
    set_tests_properties(foreign_${bus} PROPERTIES RUN_SERIAL ON)
  endif()
endforeach()
