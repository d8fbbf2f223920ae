# Finds the nginx tree to build against and sets NGINX_INCLUDE_DIRS.
#
# Debian's nginx-dev holds the headers and the configure script of the very nginx that Debian ships, patches included.
# A copy of it is configured once in the build folder. -DNGINX_SRC= takes another tree, as it is when configured
# already (objs/ngx_auto_config.h), else by configuring a copy.

set(NGINX_BINARY "" CACHE FILEPATH "nginx the module is for; 'none' skips the check (default: the installed one)")

set(_debian_tree /usr/share/nginx/src)
if(NGINX_SRC)
  set(_tree ${NGINX_SRC})
else()
  set(_tree ${_debian_tree})
endif()
if(NOT EXISTS ${_tree}/src/core/nginx.h)
  message(FATAL_ERROR "no nginx tree in ${_tree}: install nginx-dev, or give -DNGINX_SRC=")
endif()

if(EXISTS ${_tree}/objs/ngx_auto_config.h)
  set(_configured ${_tree})
else()
  string(MD5 _id ${_tree})
  set(_configured ${CMAKE_BINARY_DIR}/nginx-${_id})
  if(NOT EXISTS ${_configured}/objs/ngx_auto_config.h)
    message(STATUS "configuring a copy of ${_tree}")
    file(REMOVE_RECURSE ${_configured})
    file(COPY ${_tree}/ DESTINATION ${_configured})
    set(_script [=[
      if [ -f conf_flags ]; then . ./conf_flags; else
        NGX_CONF_FLAGS=(--with-compat --with-threads --with-http_ssl_module --with-http_v2_module); fi
      [ -x configure ] && ./configure "${NGX_CONF_FLAGS[@]}" || auto/configure "${NGX_CONF_FLAGS[@]}"
    ]=])
    execute_process(COMMAND bash -c "${_script}" WORKING_DIRECTORY ${_configured}
                    RESULT_VARIABLE _failed OUTPUT_FILE ${_configured}.log ERROR_FILE ${_configured}.log)
    if(_failed OR NOT EXISTS ${_configured}/objs/ngx_auto_config.h)
      file(REMOVE_RECURSE ${_configured})
      message(FATAL_ERROR "nginx' configure failed: see ${_configured}.log")
    endif()
  endif()
endif()

# A module built for another nginx either does not load or, worse, loads and reads shifted fields.
file(STRINGS ${_tree}/src/core/nginx.h _line REGEX "define NGINX_VERSION")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" _tree_version "${_line}")
file(STRINGS ${_tree}/src/core/ngx_connection.h _pipeline REGEX "pipeline:1")
if(NOT NGINX_BINARY STREQUAL "none")
  if(NGINX_BINARY)
    set(_nginx ${NGINX_BINARY})
  else()
    find_program(NGINX_INSTALLED nginx PATHS /usr/sbin /usr/local/sbin /usr/local/nginx/sbin)
    set(_nginx ${NGINX_INSTALLED})
  endif()
  if(_nginx)
    execute_process(COMMAND ${_nginx} -V ERROR_VARIABLE _about OUTPUT_VARIABLE _about)
    string(REGEX MATCH "nginx/([0-9.]+)" _ "${_about}")
    if(NOT CMAKE_MATCH_1 STREQUAL _tree_version)
      message(FATAL_ERROR "${_nginx} is version ${CMAKE_MATCH_1}, but the tree ${_tree} is ${_tree_version}: a module "
                          "built from it would not load. Give the tree of that nginx with -DNGINX_SRC=, or the nginx "
                          "it is for with -DNGINX_BINARY=.")
    endif()
    # Debian adds a field to ngx_connection_t that the module signature does not cover.
    if(_about MATCHES "modules-path=/usr/lib/nginx/modules" AND _about MATCHES "reproducible-path/nginx|debian"
       AND NOT _pipeline)
      message(FATAL_ERROR "${_nginx} is Debian's, whose ngx_connection_t has a field that the tree ${_tree} lacks: a "
                          "module built from it would load and misread connections. Build against nginx-dev, or name "
                          "the nginx it is for with -DNGINX_BINARY=.")
    endif()
  else()
    message(WARNING "no nginx found to check the tree ${_tree} (${_tree_version}) against")
  endif()
endif()
message(STATUS "nginx ${_tree_version}, headers of ${_tree}")

set(NGINX_INCLUDE_DIRS)
foreach(_dir src/core src/event src/event/modules src/os/unix src/http src/http/modules src/http/v2 objs)
  list(APPEND NGINX_INCLUDE_DIRS ${_configured}/${_dir})
endforeach()
file(STRINGS ${_configured}/objs/ngx_auto_config.h _threads REGEX "define NGX_THREADS")
