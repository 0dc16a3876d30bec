# Finds LLVM/MLIR 22 and defines fk_add_library(), which links either libMLIR.so
# (the default) or component archives (FK_STATIC).

set(MLIR_DIR "/usr/lib/llvm-22/lib/cmake/mlir" CACHE PATH "Where MLIRConfig.cmake lies")
find_package(MLIR 22.1 REQUIRED CONFIG)

# Debian's LLVMConfig hides this behind its own Release build.
set(LLVM_ENABLE_ASSERTIONS ${FK_ASSERTIONS})
if(FK_STATIC)
  set(LLVM_LINK_LLVM_DYLIB OFF)
  set(MLIR_LINK_MLIR_DYLIB OFF)
else()
  set(LLVM_LINK_LLVM_DYLIB ON)
  set(MLIR_LINK_MLIR_DYLIB ON)
endif()
set(LLVM_ENABLE_EH ON)
set(LLVM_ENABLE_RTTI ON)
set(LLVM_EXTERNAL_LIT "${LLVM_TOOLS_BINARY_DIR}/lit")

list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include(HandleLLVMOptions)

include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(fk_llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_definitions(${fk_llvm_definitions})

# fk_add_library(name sources... LINK libs... MLIR mlir-libs... DEPENDS targets...)
function(fk_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK;MLIR;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_MLIR)
    mlir_target_link_libraries(${name} PUBLIC ${ARG_MLIR})
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
