/* SPDX-License-Identifier: Apache-2.0
 * Why zeroes in its .bss start libnats anew: what it knows of itself is one static struct there,
 * beside the "once" that guards its making; its .data holds constants (looked up in Debian's
 * 3.4.1). It offers no call for this: nats_CloseAndWait in a child waits for threads that are not
 * there, or crashes. Memory and locks that the parent's use left behind stay unused. */
#include "channel/nats_fork.h"

#include "base/clock.h"
#include "base/error.h"
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* Of the process, as the library is. The pid of its user; negative while that one makes it ready; 0
 * before the first. No lock: it could be held by a thread that is not in the child. */
static _Atomic int library_user;
/* The library's variables that start as zeroes; size 0: it is part of the program, and they cannot
 * be told from the program's. Looked up before the first use, because a child may find the loader
 * locked. */
static struct {
    char *start;
    size_t size;
} library_zeroes;

static int look_at(struct dl_phdr_info *object, size_t size, void *owner)
{
    const char *slash = strrchr(object->dlpi_name, '/');
    const char *name = slash == NULL ? object->dlpi_name : slash + 1;

    (void)size, (void)owner;
    if (strncmp(name, "libnats.so", strlen("libnats.so")) != 0)
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_W))
            continue;
        library_zeroes.start = (char *)(object->dlpi_addr + part->p_vaddr + part->p_filesz);
        library_zeroes.size = part->p_memsz - part->p_filesz;
    }
    return 1;
}

static enum qn_status make_ready(int last_user, struct qn_error *error)
{
    if (last_user <= 0) {
        library_zeroes.size = 0;
        (void)dl_iterate_phdr(look_at, NULL);
    }
    if (last_user == 0)
        return QN_STATUS_OK;
    if (library_zeroes.size == 0)
        return error_set(error, QN_STATUS_FORKED,
                         "bus: process %d has used libnats, which is linked into the program: its "
                         "child %d must exec before it can connect",
                         last_user < 0 ? -last_user : last_user, (int)getpid());
    memset(library_zeroes.start, 0, library_zeroes.size);
    return QN_STATUS_OK;
}

enum qn_status nats_fork_renew(struct qn_error *error)
{
    int self = (int)getpid();
    int user = atomic_load(&library_user);

    while (user != self) {
        if (user == -self) {
            clock_nap_us(1000);
            user = atomic_load(&library_user);
        } else if (atomic_compare_exchange_strong(&library_user, &user, -self)) {
            enum qn_status status = make_ready(user, error);
            atomic_store(&library_user, status == QN_STATUS_OK ? self : user);
            return status;
        }
    }
    return QN_STATUS_OK;
}
