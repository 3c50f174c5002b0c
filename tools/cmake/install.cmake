# What `cmake --install` puts where: headers, library, plugin, schemas, and the files by which CMake and pkg-config find them.
set(BRINE_INSTALL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/brine)
set(BRINE_INSTALL_PROTO_DIR ${CMAKE_INSTALL_DATADIR}/brine/proto)

set(installed_targets brine)
if(TARGET protoc-gen-brine)
  list(APPEND installed_targets protoc-gen-brine)
endif()
install(TARGETS ${installed_targets} EXPORT brineTargets)
install(EXPORT brineTargets NAMESPACE brine:: DESTINATION ${BRINE_INSTALL_CMAKE_DIR})
install(DIRECTORY include/brine DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES proto/brine/options.proto proto/brine/value.proto proto/brine/text.proto
  DESTINATION ${BRINE_INSTALL_PROTO_DIR}/brine)
install(FILES proto/neovim.proto DESTINATION ${BRINE_INSTALL_PROTO_DIR})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/brineConfig.cmake.in ${PROJECT_BINARY_DIR}/brineConfig.cmake
  INSTALL_DESTINATION ${BRINE_INSTALL_CMAKE_DIR} PATH_VARS BRINE_INSTALL_PROTO_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/brineConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/brineConfig.cmake ${PROJECT_BINARY_DIR}/brineConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/BrineGenerate.cmake ${CMAKE_CURRENT_LIST_DIR}/BrineProtoc.cmake
  DESTINATION ${BRINE_INSTALL_CMAKE_DIR})
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/brine.pc.in ${PROJECT_BINARY_DIR}/brine.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/brine.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
