# The wire: codec, golden bytes, subjects; the contract of the transports.
set(GOLDEN golden/codec_bench.c golden/samples.c golden/samples_forms.c
  golden/samples_same.c)
foreach(name channel_bounds channel_codec channel_effort channel_golden
  channel_limits channel_paging)
  qnode_test(${name}_test unit/${name}_test.c ${GOLDEN} NO_RACES LIBS channel)
endforeach()
if(TARGET channel_golden_test)
  target_compile_definitions(channel_golden_test PRIVATE
    GOLDEN_DIR="${CMAKE_CURRENT_SOURCE_DIR}/golden")
endif()
qnode_test(channel_subject_test unit/channel_subject_test.c LIBS channel)
qnode_test(channel_topic_test unit/channel_topic_test.c LIBS channel)
qnode_test(channel_origin_test unit/channel_origin_test.c LIBS channel)
qnode_test(channel_kafka_options_test unit/channel_kafka_options_test.c LIBS channel)
qnode_test(channel_kafka_resolve_test unit/channel_kafka_resolve_test.c LIBS channel)
qnode_test(channel_bus_url_test unit/channel_bus_url_test.c LIBS channel)
qnode_test(channel_nats_close_test unit/channel_nats_close_test.c LIBS channel)
qnode_test(channel_nats_loop_test unit/channel_nats_loop_test.c LIBS channel)
qnode_test(channel_nats_refusals_test unit/channel_nats_refusals_test.c LIBS channel)
qnode_test(channel_nats_views_test unit/channel_nats_views_test.c LIBS channel)

# Another implementation of protobuf must agree on every byte.
add_executable(decode-check golden/decode_check.c)
target_link_libraries(decode-check PRIVATE channel base)
find_program(PROTOC protoc)
if(PROTOC)
  add_test(NAME channel_protoc_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/golden/protoc_check.sh
    ${CMAKE_SOURCE_DIR}/channel/proto ${CMAKE_CURRENT_SOURCE_DIR}/golden)
  add_test(NAME channel_document_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/golden/examples_check.sh
    ${CMAKE_SOURCE_DIR}/channel/proto ${CMAKE_SOURCE_DIR}/channel/PROTOCOL.md
    ${CMAKE_SOURCE_DIR}/base/include/qnode/status.def $<TARGET_FILE:decode-check>)
  add_test(NAME channel_breaking_test
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/golden/breaking_check.py)
  add_test(NAME channel_breaking_self_test
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/golden/breaking_check.py --self-test)
endif()

set(CONTRACT contract/bus.c contract/collector.c contract/nats_server.c)
qnode_test(transport_open_test contract/transport_open_test.c ${CONTRACT} LIBS channel)

# The conformance suite; contract/run makes a table of it.
add_executable(kafka_mock contract/kafka_mock.c)
target_link_libraries(kafka_mock PRIVATE channel base PkgConfig::RDKAFKA)
foreach(name transport transport_kafka transport_outage transport_threads)
  qnode_test(${name}_test contract/${name}_test.c contract/server.c contract/suite.c ${CONTRACT}
    TIMEOUT 300 WAITS LIBS channel)
  target_compile_definitions(${name}_test PRIVATE KAFKA_MOCK="$<TARGET_FILE:kafka_mock>"
    CONTRACT_DIR="${CMAKE_CURRENT_SOURCE_DIR}/contract")
  add_dependencies(${name}_test kafka_mock)
endforeach()

add_test(NAME contract_run_check COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/contract/run_check.py)

# What only NATS has: logins, permissions, reconnecting, retained views.
foreach(name nats_permissions nats_reconnect nats_retained nats_security)
  qnode_test(${name}_test contract/${name}_test.c ${CONTRACT} WAITS LIBS channel)
  target_compile_definitions(${name}_test PRIVATE
    CONTRACT_DIR="${CMAKE_CURRENT_SOURCE_DIR}/contract")
  set_tests_properties(${name}_test PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
endforeach()
# What only a real Kafka broker shows: TLS, logins, ACLs. It takes most of a minute, so once.
if(NOT QNODE_SANITIZE)
  qnode_test(kafka_security_test contract/kafka_security_test.c ${CONTRACT} TIMEOUT 300
    LIBS channel)
  target_compile_definitions(kafka_security_test PRIVATE
    CONTRACT_DIR="${CMAKE_CURRENT_SOURCE_DIR}/contract")
  set_tests_properties(kafka_security_test PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
endif()
add_test(NAME nats_roles_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/contract/roles_check.sh
  ${CMAKE_SOURCE_DIR}/channel/PROTOCOL.md ${CMAKE_CURRENT_SOURCE_DIR}/contract/nats_roles.conf conf)
add_test(NAME kafka_acls_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/contract/roles_check.sh
  ${CMAKE_SOURCE_DIR}/channel/PROTOCOL.md ${CMAKE_CURRENT_SOURCE_DIR}/contract/kafka_acls.conf acls)

# The client library and fork().
qnode_test(fork_test contract/fork_test.c contract/fork_scene.c contract/server.c
  unit/client_world.c ${CONTRACT} TIMEOUT 600 WAITS LIBS channel)
target_compile_definitions(fork_test PRIVATE KAFKA_MOCK="$<TARGET_FILE:kafka_mock>"
  CONTRACT_DIR="${CMAKE_CURRENT_SOURCE_DIR}/contract")
add_dependencies(fork_test kafka_mock)
