# The brine command.
file(GLOB sources CONFIGURE_DEPENDS brine/*.c)
add_executable(brine_command ${sources})
set_target_properties(brine_command PROPERTIES OUTPUT_NAME brine)
target_link_libraries(brine_command PRIVATE brine_inspect brine_internal brine_build)
target_include_directories(brine_command PRIVATE ${PROJECT_SOURCE_DIR}/src)
install(TARGETS brine_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Its manual page, where scdoc is there to make it.
find_program(SCDOC scdoc)
if(SCDOC)
  set(page ${CMAKE_CURRENT_BINARY_DIR}/brine.1)
  add_custom_command(OUTPUT ${page} DEPENDS brine/brine.1.scd VERBATIM
    COMMAND sh -c "\"$1\" < \"$2\" > \"$3.part\" && mv \"$3.part\" \"$3\"" sh ${SCDOC} ${CMAKE_CURRENT_SOURCE_DIR}/brine/brine.1.scd ${page})
  add_custom_target(brine_manual ALL DEPENDS ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
else()
  message(STATUS "scdoc was not found: the manual page brine(1) is not built")
endif()
