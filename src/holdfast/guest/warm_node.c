/* What warm.js cannot do in JavaScript. Loaded as an addon into a node that waits for its program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of Node's stable C interface (node_api.h); weak, because launchers load this library too. */
typedef struct env *napi_env;
typedef struct value *napi_value;
typedef struct info *napi_info;
typedef napi_value (*napi_callback)(napi_env, napi_info);
#define FROM_NODE extern __attribute__((weak))
FROM_NODE int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
FROM_NODE int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
FROM_NODE int napi_get_cb_info(napi_env, napi_info, size_t *, napi_value *, napi_value *, void **);
FROM_NODE int napi_get_value_int32(napi_env, napi_value, int32_t *);

/* End at once. Everything a program can see has happened; what is left is to take the engine apart. */
static napi_value exit_now(napi_env env, napi_info info) {
    size_t count = 1;
    napi_value argument;
    int32_t code = 0;
    if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) == 0 && count == 1 &&
        napi_get_value_int32(env, argument, &code) == 0)
        _exit(code);
    return NULL;
}

/* Let go of the pages of files that were read and not changed: a program reads again what it needs. */
static napi_value forget_library_pages(napi_env env, napi_info info) {
    char line[512], mode[8], path[2];
    uintptr_t begin = 0, end = 0, from, to;
    long kilobytes;
    FILE *file = fopen("/proc/self/smaps", "re");
    (void)env, (void)info;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        int found = sscanf(line, "%lx-%lx %7s %*s %*s %*s %1s", &from, &to, mode, path);
        if (found >= 3) {
            int is_library = found == 4 && path[0] == '/' && (strcmp(mode, "r-xp") == 0 || strcmp(mode, "r--p") == 0);
            begin = is_library ? from : 0;
            end = is_library ? to : 0;
        } else if (end && sscanf(line, "Anonymous: %ld", &kilobytes) == 1 && kilobytes == 0) {
            madvise((void *)begin, end - begin, MADV_DONTNEED);
        }
    }
    if (file != NULL)
        fclose(file);
    return NULL;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    napi_value function;
    if (napi_create_function(env, "exitNow", SIZE_MAX, exit_now, NULL, &function) == 0)
        napi_set_named_property(env, exports, "exitNow", function);
    if (napi_create_function(env, "forgetLibraryPages", SIZE_MAX, forget_library_pages, NULL, &function) == 0)
        napi_set_named_property(env, exports, "forgetLibraryPages", function);
    return exports;
}
