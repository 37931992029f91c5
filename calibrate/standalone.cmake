# What the whole project's CMakeLists.txt gives to calibrate/, when it is built alone: the
# language, warnings, sim/base. Neither SimGrid nor Boost nor the tests.
set(MOESIM_CALIBRATE_ALONE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(moesim_warnings INTERFACE)
target_compile_options(moesim_warnings INTERFACE -Wall -Wextra
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>) # false alarms of GCC 12 at -O3 (PR 105651)

find_package(fmt REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/../tools/cmake/moesim.cmake)
add_subdirectory(${MOESIM_ROOT}/sim/base ${PROJECT_BINARY_DIR}/base)
