# Unit tests: fk_add_unit_test(part Source.cpp... LINK libs... MLIR mlir-libs...)
# makes the target fk-unit-<part>, adds it to fk-unit and puts bin/unit/<part>-tests
# where lit finds it.

find_package(GTest REQUIRED)
add_custom_target(fk-unit)

function(fk_add_unit_test part)
  cmake_parse_arguments(ARG "" "" "LINK;MLIR" ${ARGN})
  add_executable(fk-unit-${part} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(fk-unit-${part} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  if(ARG_MLIR)
    mlir_target_link_libraries(fk-unit-${part} PRIVATE ${ARG_MLIR})
  endif()
  set_target_properties(fk-unit-${part} PROPERTIES
    EXCLUDE_FROM_ALL ON
    OUTPUT_NAME ${part}-tests
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin/unit")
  target_compile_definitions(fk-unit-${part} PRIVATE
    FK_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_dependencies(fk-unit fk-unit-${part})
endfunction()
