/* The short way through the life of a cell, without touching an interpreter's memory.
 *
 * A clone of the launcher copies every page it writes to, and an interpreter writes to hundreds of pages just by
 * running. What pid 1 does for an ordinary run, and what a guest does before it waits, is therefore done here, exactly
 * as init.py, building.py and guest.py do it where this library is absent. Whatever is not ordinary is handed to them:
 * `make_cell` returns in pid 1 with the state they go on from, and in the guest when it is locked in.
 *
 * One library of one source, in parts that are about one thing each: nothing but `make_cell` can be seen from outside.
 *
 * Every call is checked; a failure before the program starts ends the cell and says why.
 */
#include "cell/structures.h"
#include "cell/calls.h"
#include "cell/guest.h"
#include "cell/pid1.h"
#include "cell/orders.h"
#include "cell/running.h"

static void ignore(int number) { (void)number; }

/* For an interpreter that goes on here: its own handler of SIGCHLD, which it hears of at once. */
static int hand_to_python(int code, const struct sigaction *handler, const sigset_t *mask) {
    sigaction(SIGCHLD, handler, NULL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    return code;
}

static int be_init(const struct house *house, struct cell *cell) {
    struct sigaction before, wakes = {.sa_handler = ignore};
    sigset_t mask, child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigaction(SIGCHLD, &wakes, &before);
    sigprocmask(SIG_BLOCK, &child, &mask);
    if (take_charge(house, cell))
        give_up(cell);
    int role = make_guest(house, cell);
    if (role == IS_GUEST)
        return role;
    if (failure.length || set_fs_ids() || stay_out_of_reach())
        give_up(cell);
    cell->workspace = open(WORKSPACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cell->workspace < 0) {
        fails(WORKSPACE);
        give_up(cell);
    }
    send_ready(house, cell);
    if (!is_order(cell))
        return hand_to_python(SERVE_ON, &before, &mask);
    int code = execute(house, cell);
    if (code == 0)
        is_order(cell); /* which ends this process when there is nothing more to do */
    return hand_to_python(code ? code : SERVE_ON, &before, &mask);
}

/* The pid of a new cell's pid 1; in that process, or in its guest, what it is to be; below NOT_MADE an errno.
 *
 * The caller runs the interpreter's hooks before and after a fork. */
int make_cell(const struct house *house, struct cell *cell) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } v2 = {.flags = house->clone_flags | 0x200000000ull, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cell->birthplace};
    long pid = cell->birthplace >= 0 ? syscall(SYS_clone3, &v2, sizeof v2)
                                     : syscall(SYS_clone, house->clone_flags | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0)
        return NOT_MADE - errno;
    return pid ? (int)pid : be_init(house, cell);
}
