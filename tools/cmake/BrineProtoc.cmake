# Runs protoc for one schema: cmake -DPROTOC= -DPLUGIN= -DDIRS= -DNAME=a/b.proto -DBASE=a/b -DOUT= -P BrineProtoc.cmake
# The files are written beside their places and renamed, so that a failure leaves the old ones whole, and a link that stands in
# a place is replaced, not followed.
set(staging ${OUT}/${BASE}.staging)
file(REMOVE_RECURSE ${staging})
file(MAKE_DIRECTORY ${staging})
list(TRANSFORM DIRS PREPEND -I)
execute_process(
  COMMAND ${PROTOC} --plugin=protoc-gen-brine=${PLUGIN} --brine_out=${staging} --dependency_out=${staging}/depfile
          ${DIRS} ${NAME}
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  file(REMOVE_RECURSE ${staging})
  message(FATAL_ERROR "no C was generated from ${NAME}")
endif()
file(READ ${staging}/depfile depfile)
string(REPLACE ${staging} ${OUT} depfile "${depfile}")
file(WRITE ${staging}/depfile "${depfile}")
foreach(extension IN ITEMS h c)
  file(RENAME ${staging}/${BASE}.brine.${extension} ${OUT}/${BASE}.brine.${extension})
endforeach()
file(RENAME ${staging}/depfile ${OUT}/${BASE}.brine.d)
file(REMOVE_RECURSE ${staging})
