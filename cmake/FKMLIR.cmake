# Finds LLVM/MLIR 22 and defines fk_add_library(). MLIR comes as libMLIR.so, or as
# archives of the components that are used (FK_STATIC).

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

if(FK_STATIC)
  # Debian builds LLVM with LLVM_LINK_LLVM_DYLIB, so every imported MLIR archive
  # names the shared LLVM as what it needs (one as $<LINK_ONLY:LLVM>). One of them
  # is enough to pull libLLVM.so in, so put the archives in its place.
  # NVPTX, and the optimiser before it, are what lib/Codegen runs.
  set(FK_LLVM_COMPONENTS Analysis AsmParser AsmPrinter BitReader BitWriter BitstreamReader
      CodeGen Core FrontendOpenMP IRReader InstCombine Linker MC NVPTXCodeGen NVPTXDesc NVPTXInfo
      Passes Remarks ScalarOpts SelectionDAG Support Target TargetParser TransformUtils Vectorize ipo)
  llvm_map_components_to_libnames(fk_llvm_archives ${FK_LLVM_COMPONENTS})
  add_library(fk_llvm_static INTERFACE)
  target_link_libraries(fk_llvm_static INTERFACE ${fk_llvm_archives})
  get_property(fk_imported DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(lib IN LISTS fk_imported)
    if(lib MATCHES "^MLIR")
      get_target_property(needs ${lib} INTERFACE_LINK_LIBRARIES)
      if(needs)
        list(TRANSFORM needs REPLACE "^(\\$<LINK_ONLY:LLVM>|LLVM)$" "fk_llvm_static")
        list(REMOVE_ITEM needs MLIR)
        set_target_properties(${lib} PROPERTIES INTERFACE_LINK_LIBRARIES "${needs}")
      endif()
    endif()
  endforeach()
endif()

# fk_add_library(name sources... LINK libs... MLIR mlir-libs... DEPENDS targets...)
function(fk_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK;MLIR;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_MLIR)
    mlir_target_link_libraries(${name} PUBLIC ${ARG_MLIR})
    if(NOT FK_STATIC)
      # libMLIR.so does not bring libLLVM.so along.
      target_link_libraries(${name} PUBLIC LLVM)
    endif()
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# Link options of the portable binary.
set(FK_STATIC_LINK_OPTIONS -static-libstdc++ -static-libgcc -Wl,--as-needed -Wl,--gc-sections -Wl,--icf=all
    -Wl,-s -Wl,-O2 -Wl,-z,pack-relative-relocs)
