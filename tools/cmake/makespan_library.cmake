# Helpers shared by the folders: one static library per folder, and the installed package.

# Flags of every makespan target. No floating-point contraction, so that every compiler computes the same bits.
add_library(makespan_flags INTERFACE)
target_compile_features(makespan_flags INTERFACE cxx_std_20)
target_compile_options(makespan_flags INTERFACE
  $<BUILD_INTERFACE:-ffp-contract=off -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-unused-command-line-argument>
  # g++ 12 misfires where it inlines: on Boost's optional and edge properties, and on sums of strings (GCC bug 105651).
  $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>>
  $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>>
  $<$<BOOL:${MAKESPAN_WERROR}>:$<BUILD_INTERFACE:-Werror>>)

# makespan_add_library(NAME SOURCES ... HEADERS ... DEPENDS ...): the static library of one folder.
# Headers form a file set, so that each is compiled alone (target all_verify_interface_header_sets) and installed.
function(makespan_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(makespan_${name} STATIC)
  add_library(makespan::${name} ALIAS makespan_${name})
  target_sources(makespan_${name}
    PRIVATE ${ARG_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  target_link_libraries(makespan_${name} PUBLIC ${ARG_DEPENDS} PRIVATE makespan_flags ${ARG_PRIVATE_DEPENDS})
  target_compile_features(makespan_${name} PUBLIC cxx_std_20)
  # Installed headers are found as <makespan/core/units.h>, and find each other as "core/units.h".
  target_include_directories(makespan_${name} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(makespan_${name} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  install(TARGETS makespan_${name} EXPORT makespan_targets
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/makespan)
endfunction()

# Installs the exported targets and the files that find_package(makespan) reads.
function(makespan_install_package)
  include(CMakePackageConfigHelpers)
  set(destination ${CMAKE_INSTALL_LIBDIR}/cmake/makespan)
  install(TARGETS makespan_flags EXPORT makespan_targets)
  install(EXPORT makespan_targets NAMESPACE makespan:: DESTINATION ${destination})
  configure_package_config_file(${PROJECT_SOURCE_DIR}/tools/cmake/makespanConfig.cmake.in
    ${PROJECT_BINARY_DIR}/makespanConfig.cmake INSTALL_DESTINATION ${destination})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/makespanConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/makespanConfig.cmake ${PROJECT_BINARY_DIR}/makespanConfigVersion.cmake
          DESTINATION ${destination})
endfunction()
