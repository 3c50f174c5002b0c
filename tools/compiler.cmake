# The schema compiler: a library for its tests and fuzzers, and protoc's plugin.
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/compiler/*.c)
add_library(brine_compiler STATIC ${sources})
target_link_libraries(brine_compiler PUBLIC brine_base PRIVATE brine_build)

add_executable(protoc-gen-brine protoc-gen-brine.c)
target_link_libraries(protoc-gen-brine PRIVATE brine_compiler brine_build)
add_executable(brine::protoc-gen-brine ALIAS protoc-gen-brine)

set_property(GLOBAL PROPERTY BRINE_PROTO_DIR ${PROJECT_SOURCE_DIR}/proto)
include(${CMAKE_CURRENT_LIST_DIR}/cmake/BrineGenerate.cmake)
