# Fails when an object compiled for one instruction set defines a weak symbol outside that set's namespace: the linker
# keeps one copy of those, and an older processor could be given the copy of a newer instruction set.
#   cmake -DNM=nm -DISA=avx2 -DOBJECTS=a.o;b.o -P isa_symbols.cmake
set(shared "")
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --demangle --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+ [WVu] [^\n]+" weak "${symbols}")
  foreach(symbol IN LISTS weak)
    # Without vectors: DW.ref.*, the address of a runtime function for exceptions; what Clang calls when one leaves a
    # noexcept function; and typeinfo, which sanitizers look at.
    if(NOT symbol MATCHES "dlcore::${ISA}::|DW\\.ref\\.|__clang_call_terminate|[WVu] typeinfo ")
      string(APPEND shared "  ${symbol}\n    in ${object}\n")
    endif()
  endforeach()
endforeach()
if(shared)
  message(FATAL_ERROR "Weak symbols outside namespace dlcore::${ISA}; write them out in the kernel instead:\n${shared}")
endif()
