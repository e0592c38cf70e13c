# cmake -DLD= -DOBJCOPY= -DNM= -DOBJDUMP= -DSCRIPT= -DOUTPUT= -P link_plain_road.cmake -- OBJECT…
#
# Links the objects of the plain road to one, in which nothing of the C library may be missing, for it is not started yet: all
# but its entry becomes local, and what is undefined is the way out of it.
set(objects)
set(behind FALSE)
foreach(index RANGE 1 ${CMAKE_ARGC})
  if(behind AND NOT "${CMAKE_ARGV${index}}" STREQUAL "")
    list(APPEND objects "${CMAKE_ARGV${index}}")
  elseif("${CMAKE_ARGV${index}}" STREQUAL "--")
    set(behind TRUE)
  endif()
endforeach()

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${LD} -r --gc-sections --force-group-allocation -T ${SCRIPT} -o ${OUTPUT} ${objects})
run(${OBJCOPY} --keep-global-symbol=lockstep_entry --strip-unneeded ${OUTPUT})
run(${NM} --undefined-only --format=just-symbols --demangle ${OUTPUT})
string(REGEX REPLACE "(_start|lockstep::start::handover)\n" "" missing "${output}")
if(missing)
  message(FATAL_ERROR "the plain road runs before the C library is there, but it uses of it:\n${missing}")
endif()
run(${OBJDUMP} --section-headers ${OUTPUT})
if(output MATCHES "\\.(init_array|ctors|tdata|tbss|data)")
  message(FATAL_ERROR "the plain road runs before variables are initialized, but it has such (${CMAKE_MATCH_0}):\n${output}")
endif()
