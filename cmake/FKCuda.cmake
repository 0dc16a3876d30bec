# Device code: one nvcc call a .cu file gives PTX, ptxas gives a cubin, and both stay
# in <build>/kernels. fk_add_kernel_images() embeds the cubins into a library.
#
# The compiler is that of a CUDA 13 toolkit (CUDA_HOME, CUDA_PATH, nvcc on the PATH,
# /usr/local/cuda*), else that of the wheels `make deps` unpacks under build/deps.
# FK_IGNORE_CUDA_TOOLKIT takes only the latter. PTX does not depend on which, nor on
# where the tree lies: nvcc runs in the source folder on relative names.

option(FK_IGNORE_CUDA_TOOLKIT "Use only the CUDA compiler under build/deps" OFF)
set(FK_CUDA_ARCH "90a" CACHE STRING "Compute capability of the device code")
set(FK_CUDA_HOST_COMPILER "g++-12" CACHE STRING "Host compiler that nvcc calls")

function(fk_find_cuda_compiler result)
  set(candidates)
  if(NOT FK_IGNORE_CUDA_TOOLKIT)
    list(APPEND candidates "$ENV{CUDA_HOME}/bin/nvcc" "$ENV{CUDA_PATH}/bin/nvcc")
    find_program(FK_NVCC_ON_PATH nvcc NO_CMAKE_PATH NO_CMAKE_SYSTEM_PATH)
    mark_as_advanced(FK_NVCC_ON_PATH)
    if(FK_NVCC_ON_PATH)
      list(APPEND candidates "${FK_NVCC_ON_PATH}")
    endif()
    file(GLOB installed "/usr/local/cuda*/bin/nvcc")
    list(APPEND candidates ${installed})
  endif()
  list(APPEND candidates "${CMAKE_SOURCE_DIR}/build/deps/cuda/nvidia/cu13/bin/nvcc")
  set(${result} "" PARENT_SCOPE)
  foreach(candidate ${candidates})
    if(EXISTS "${candidate}")
      execute_process(COMMAND "${candidate}" --version OUTPUT_VARIABLE version
                      ERROR_QUIET RESULT_VARIABLE failed)
      if(NOT failed AND version MATCHES "release 13\\.")
        set(${result} "${candidate}" PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
endfunction()

fk_find_cuda_compiler(FK_NVCC)
if(FK_NVCC)
  get_filename_component(FK_CUDA_BIN "${FK_NVCC}" DIRECTORY)
  message(STATUS "fk: CUDA compiler ${FK_NVCC}")
else()
  message(STATUS "fk: no CUDA 13 compiler: device kernels are left out (make deps adds one)")
endif()

# fk_compile_kernels(cubins unit... [HEADERS file...])  compiles <unit>.cu of the current
# folder and sets `cubins` to the list of images.
function(fk_compile_kernels result)
  cmake_parse_arguments(ARG "" "" "HEADERS" ${ARGN})
  set(out "${CMAKE_BINARY_DIR}/kernels")
  file(MAKE_DIRECTORY "${out}")
  file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set(cubins)
  foreach(unit ${ARG_UNPARSED_ARGUMENTS})
    set(ptx "${out}/${unit}.ptx")
    set(cubin "${out}/${unit}.cubin")
    add_custom_command(
      OUTPUT "${ptx}"
      COMMAND "${FK_NVCC}" -ccbin "${FK_CUDA_HOST_COMPILER}" -std=c++17 -O3 -I .
              -Werror all-warnings -arch=compute_${FK_CUDA_ARCH} -ptx "${folder}/${unit}.cu" -o "${ptx}"
              -MD -MF "${ptx}.d"
      # CMake takes relative names in it as the build folder's: each unit would be built every time.
      COMMAND sed -i -E "s@(^ +| : )(\\./)?([A-Za-z])@\\1${CMAKE_SOURCE_DIR}/\\3@" "${ptx}.d"
      DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${unit}.cu" "${FK_NVCC}"
      DEPFILE "${ptx}.d"
      WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
      COMMENT "Compiling ${folder}/${unit}.cu to PTX" VERBATIM)
    add_custom_command(
      OUTPUT "${cubin}"
      COMMAND "${FK_CUDA_BIN}/ptxas" -arch=sm_${FK_CUDA_ARCH} -O3
              "${ptx}" -o "${cubin}"
      DEPENDS "${ptx}"
      COMMENT "Assembling ${unit}.ptx" VERBATIM)
    list(APPEND cubins "${cubin}")
  endforeach()
  set(${result} "${cubins}" PARENT_SCOPE)
endfunction()

# fk_add_kernel_images(library cubin...)  a static library with every image and the
# table fk::cuda::getKernelImages() (runtime/kernels/Images.h).
function(fk_add_kernel_images library)
  set(blobs "${CMAKE_CURRENT_BINARY_DIR}/${library}.cpp")
  set(text "#include \"runtime/kernels/Images.h\"\n")
  set(table "")
  foreach(cubin ${ARGN})
    get_filename_component(unit "${cubin}" NAME_WE)
    string(APPEND text
      "__asm__(\".section .rodata\\n.balign 64\\n.globl fkImage_${unit}\\nfkImage_${unit}:\\n"
      ".incbin \\\"${cubin}\\\"\\n.globl fkImageEnd_${unit}\\nfkImageEnd_${unit}:\\n.byte 0\\n.previous\\n\");\n"
      "extern \"C\" const std::byte fkImage_${unit}[], fkImageEnd_${unit}[];\n")
    string(APPEND table
      "      {\"${unit}\", {fkImage_${unit}, fkImageEnd_${unit}}},\n")
  endforeach()
  string(APPEND text
    "std::span<const fk::cuda::KernelImage> fk::cuda::getKernelImages() {\n"
    "  static const std::vector<KernelImage> images = {\n${table}  };\n"
    "  return images;\n}\n")
  file(GENERATE OUTPUT "${blobs}" CONTENT "${text}")
  add_library(${library} STATIC "${blobs}")
  set_source_files_properties("${blobs}" PROPERTIES GENERATED ON OBJECT_DEPENDS "${ARGN}")
endfunction()
