# Adds `symbol` = the text of `file` to a target: extern const char* const dlcore::cuda::<symbol>.
function(dlcore_embed_text target file symbol)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
       "namespace dlcore::cuda {\nextern const char* const @symbol@;\nconst char* const @symbol@ = R\"dlcore(@text@)dlcore\";\n}\n")
  target_sources(${target} PRIVATE ${source})
endfunction()
