# brine_generate(TARGET target PROTOS file.proto ... [IMPORT_DIRS dir ...])
#
# Compiles schemas into C and adds the C to a target. An import is looked for in IMPORT_DIRS (where none is given: the current
# source folder), then among Brine's own schemas. Each of PROTOS must lie under one of these folders: its path from there is
# the path of its header, so that a/b.proto is #include "a/b.brine.h". Link the target to brine::brine yourself.
#
# For make, writes a/b.brine.h and a/b.brine.c (--plugin=protoc-gen-brine=/path/to/it where that is not in PATH):
#   protoc --brine_out=. -I . -I $(pkg-config --variable=protodir brine) a/b.proto
include_guard(GLOBAL)
set_property(GLOBAL PROPERTY BRINE_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

# Finds the import folder a schema lies in, and its path from there.
function(brine_find_proto_ proto dirs ret_name)
  get_filename_component(path ${proto} ABSOLUTE)
  foreach(dir IN LISTS dirs)
    file(RELATIVE_PATH name ${dir} ${path})
    if(NOT name MATCHES "^\\.\\./" AND NOT IS_ABSOLUTE "${name}")
      set(${ret_name} ${name} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "brine_generate: ${proto} lies in none of the import folders: ${dirs}")
endfunction()

function(brine_generate)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "TARGET" "PROTOS;IMPORT_DIRS")
  if(NOT arg_TARGET OR NOT arg_PROTOS OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "brine_generate(TARGET target PROTOS file.proto ... [IMPORT_DIRS dir ...])")
  endif()
  find_program(BRINE_PROTOC protoc)
  if(NOT BRINE_PROTOC)
    message(FATAL_ERROR "protoc was not found. On Debian and Ubuntu: apt-get install protobuf-compiler")
  endif()
  get_property(cmake_dir GLOBAL PROPERTY BRINE_CMAKE_DIR)
  get_property(own_protos GLOBAL PROPERTY BRINE_PROTO_DIR)
  if(NOT arg_IMPORT_DIRS)
    set(arg_IMPORT_DIRS ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  set(dirs)
  foreach(dir IN LISTS arg_IMPORT_DIRS own_protos)
    get_filename_component(dir ${dir} ABSOLUTE)
    list(APPEND dirs ${dir})
  endforeach()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/brine/${arg_TARGET})
  foreach(proto IN LISTS arg_PROTOS)
    brine_find_proto_(${proto} "${dirs}" name)
    string(REGEX REPLACE "\\.proto$" "" base ${name})
    add_custom_command(
      OUTPUT ${out}/${base}.brine.h ${out}/${base}.brine.c
      COMMAND ${CMAKE_COMMAND} -DPROTOC=${BRINE_PROTOC} -DPLUGIN=$<TARGET_FILE:brine::protoc-gen-brine>
              "-DDIRS=${dirs}" -DNAME=${name} -DBASE=${base} -DOUT=${out} -P ${cmake_dir}/BrineProtoc.cmake
      DEPENDS ${proto} brine::protoc-gen-brine ${cmake_dir}/BrineProtoc.cmake
      DEPFILE ${out}/${base}.brine.d
      COMMENT "Generating ${base}.brine.h and ${base}.brine.c"
      VERBATIM)
    target_sources(${arg_TARGET} PRIVATE ${out}/${base}.brine.c ${out}/${base}.brine.h)
  endforeach()
  target_include_directories(${arg_TARGET} PUBLIC $<BUILD_INTERFACE:${out}>)
endfunction()
