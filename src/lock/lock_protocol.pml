// The lock protocol (see directory_lock.cpp) for spin(1), which tries every order of its steps. A step is a system call; a
// contender may be killed between any two of them. tests/model runs it, right and wrong:
//
//   spin -a [-DVARIANT] lock_protocol.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan
//
// Held to: never two inside who may not be (the mkdir script included); the holder's directory stays at the name; every waiter
// gets through; nothing is left when all are through, or if somebody was killed, after one more run.
//
// Left out: what is no part of the exclusion (announcements, permissions, orphaned commands), the order in which the kernel wakes
// waiters (any is tried here), rm -rf of a lock that is held.

#ifndef CONTENDERS
#define CONTENDERS 3
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef LEAVES
#define LEAVES 1
#endif
#define INODES (CONTENDERS + 3)
#define NONE 15
#define BIT(who) (1 << (who))

typedef Inode {
    bool ours = false;    // sticky: not made by a script's mkdir
    bool gone = false;    // removed, though somebody may have it open
    bool record = false;
    bool passed_on = false;  // the record says that its run gave the lock up to whoever waits
    byte readers = 0;     // r.<run id>, one bit each
    bool had_readers = false;
    byte opens = 0;
    byte ex = NONE;       // flock(2): who has LOCK_EX,
    byte sh = 0;          // and who LOCK_SH
    byte marks = 0;       // "I wait here"
}

Inode inode[INODES];
byte path = NONE;  // which one is at the name
byte kills = 0;
byte leaves = 0;
byte removals = 1;
bool somebody_was_killed = false;
byte through = 0;

byte writers_inside = 0;
byte readers_inside = 0;

// A number that nobody has open any more is given out again at once, as ext4 does.
inline make_directory(by_us) {
    d_step {
        path = 0;
        do
        :: inode[path].opens != 0 -> path++
        :: else -> break
        od;
        inode[path].ours = by_us;
        inode[path].gone = false;
        inode[path].record = false;
        inode[path].passed_on = false;
        inode[path].readers = 0;
        inode[path].had_readers = false
    }
}

#define IS_EMPTY(i) (!inode[i].record && inode[i].readers == 0)

// rmdir(2) goes by the name, whatever is there now.
inline remove_directory() {
    d_step {
        if
        :: path != NONE && IS_EMPTY(path) -> inode[path].gone = true; path = NONE
        :: else
        fi
    }
}

inline close_directory() {
    d_step {
        if :: inode[fd].ex == me -> inode[fd].ex = NONE :: else fi;
        inode[fd].sh = inode[fd].sh & ~BIT(me);
        inode[fd].marks = inode[fd].marks & ~BIT(me);
        inode[fd].opens = inode[fd].opens & ~BIT(me);
        fd = NONE
    }
}

#define CAN_LOCK_EX (inode[fd].ex == NONE || inode[fd].ex == me) && (inode[fd].sh & ~BIT(me)) == 0
#define CAN_LOCK_SH (inode[fd].ex == NONE || inode[fd].ex == me)
#define LOCK_EX inode[fd].ex = me; inode[fd].sh = inode[fd].sh & ~BIT(me)
#define LOCK_SH inode[fd].ex = NONE; inode[fd].sh = inode[fd].sh | BIT(me)
#define IS_WAITED_FOR ((inode[fd].marks & ~BIT(me)) != 0)
#define IS_AT_PATH (path == fd)

// Before each step: SIGKILL, perhaps.
#define STEP if :: mortal && kills > 0 -> kills--; goto killed :: true -> skip fi

proctype contender(byte me; bool mortal; bool may_read) {
    byte fd = NONE;
    bool created = false;
    bool reads = false;   // wants a share
    bool alone = false;   // and has the lock for itself until it has taken over from a dead run
    bool inside = false;
    bool once_more = false;

    if :: may_read -> reads = true :: true fi;
again:
    atomic {
        STEP;
        once_more = false;
        created = (path == NONE);
        if :: created -> make_directory(true) :: else fi
    }
    atomic {
        STEP;
        if :: path == NONE -> goto again :: else fi;
        if
        :: !inode[path].ours ->  // a script's lock: inotify, or we leave
            if
            :: path == NONE || inode[path].ours -> goto again
            :: leaves > 0 -> leaves--; goto leave
            fi
        :: else -> fd = path; inode[fd].opens = inode[fd].opens | BIT(me)
        fi
    }
    atomic {
        STEP;
        if
        :: (!reads || alone) && CAN_LOCK_EX -> LOCK_EX; goto locked
        :: reads && !alone && CAN_LOCK_SH -> LOCK_SH; goto locked
        :: else -> if :: alone -> alone = false; close_directory(); goto again :: else fi
        fi
    }
    atomic {
        STEP;
        if
        :: inode[fd].marks = inode[fd].marks | BIT(me)
        :: leaves > 0 -> skip  // ENOLCK: without a mark
        fi
    }
    atomic {  // asleep in flock(2)
        if
        :: mortal && kills > 0 -> kills--; goto killed
        :: !reads && CAN_LOCK_EX -> LOCK_EX
        :: reads && CAN_LOCK_SH -> LOCK_SH
        :: leaves > 0 -> leaves--; goto leave_queue
        fi
    }
    atomic { STEP; inode[fd].marks = inode[fd].marks & ~BIT(me); created = false }

locked:
    atomic {
        STEP;
        if
#ifdef CREATOR_TRUSTS_ITS_MKDIR
        :: created
#endif
        :: IS_AT_PATH
        :: else -> close_directory(); goto again
        fi;
        if
        :: reads && !alone -> goto share
        :: else
        fi
    }
    // Passed on, from writer to writer: there is nothing else in it, and the record is ours to write over.
    if
#ifdef TRUST_WHAT_WAS_PASSED_ON
    :: !reads && !created && inode[fd].record && inode[fd].passed_on ->
#else
    :: !reads && !created && inode[fd].record && inode[fd].passed_on && !inode[fd].had_readers ->
#endif

        atomic { STEP; inode[fd].passed_on = false; goto hold }
    :: else
    fi;
    // Exclusive: what readers have left is of dead ones. Whoever made the directory need not look if none has been in it.
    atomic {
        STEP;
        if
#ifndef CREATOR_NEVER_SEARCHES
        :: inode[fd].had_readers -> inode[fd].readers = 0
#endif
        :: !created -> inode[fd].readers = 0
        :: else
        fi
    }
    if
    :: reads -> goto take_over_and_share
    :: else
    fi;
#ifdef ADOPT_BY_RMDIR
    if
    :: inode[fd].record ->
        atomic { STEP; inode[fd].record = false };
        atomic { STEP; remove_directory() };
        atomic { STEP; if :: path == NONE -> make_directory(true) :: else fi };
        atomic { STEP; if :: path != NONE -> inode[path].record = true :: else fi };
        goto hold
    :: else
    fi;
#endif
    atomic {
        STEP;
        if
        :: inode[fd].gone ->
#ifdef CREATOR_TRUSTS_ITS_MKDIR
            if :: created -> goto hold :: else fi;
#endif
            close_directory(); goto again  // ENOENT
        :: else -> inode[fd].record = true; inode[fd].passed_on = false   // made, or adopted
        fi
    }
hold:
    atomic {
        STEP;
        inside = true;
        writers_inside++;
        assert(writers_inside == 1 && readers_inside == 0);
        assert(IS_AT_PATH);
        assert(inode[fd].readers == 0)
    }
    atomic { STEP; inside = false; writers_inside-- }
    if
    :: IS_WAITED_FOR ->  // and by writers alone; if not, nothing is lost by going on below
        atomic { STEP; inode[fd].passed_on = true }
        atomic { STEP; if :: IS_AT_PATH :: else -> goto unlink fi }
        atomic { STEP; inode[fd].ex = NONE }
#ifndef NO_SECOND_LOOK
        atomic { STEP; if :: IS_WAITED_FOR -> goto closing :: else fi }
        atomic { STEP; if :: CAN_LOCK_EX -> LOCK_EX :: else -> goto closing fi }
        goto give_up
#else
        goto closing
#endif
    :: true
    fi;
unlink:
    atomic { STEP; inode[fd].record = false }
#ifdef CLOSE_BEFORE_RMDIR
    atomic { STEP; close_directory() };
    atomic { STEP; remove_directory(); goto leave }
#endif

give_up:  // an exclusive lock of a directory without anything of ours in it
    atomic { STEP; if :: IS_AT_PATH :: else -> goto closing fi }
    do
    :: atomic { STEP; if :: !IS_WAITED_FOR -> break :: else fi };
        atomic { STEP; inode[fd].ex = NONE }
#ifndef NO_SECOND_LOOK
        atomic { STEP; if :: IS_WAITED_FOR -> goto closing :: else fi };
        atomic { STEP; if :: CAN_LOCK_EX -> LOCK_EX :: else -> goto closing fi };
        atomic { STEP; if :: IS_AT_PATH :: else -> goto closing fi }
#else
        goto closing
#endif
    od;
#ifndef LEAVE_THE_RECORD
    // rmdir failed for a record that was passed on, and nobody wants it any more.
    if
    :: inode[fd].record && inode[fd].passed_on -> atomic { STEP; inode[fd].record = false; inode[fd].passed_on = false }
    :: else
    fi;
#endif
    atomic { STEP; remove_directory() }
closing:
    atomic { STEP; close_directory(); if :: once_more -> goto again :: else -> goto leave fi }

leave_queue:
    atomic { STEP; inode[fd].marks = inode[fd].marks & ~BIT(me) }
#ifdef LEAVE_WITHOUT_A_LOOK
    goto closing;
#endif
    atomic { STEP; if :: CAN_LOCK_EX -> LOCK_EX; goto give_up :: else -> goto closing fi }

share:
    atomic { STEP; inode[fd].had_readers = true }
    if
    :: inode[fd].marks != 0 -> once_more = true; goto give_up_share  // a writer goes first
    :: true
    fi;
    atomic {
        STEP;
        if
        :: inode[fd].record -> alone = true; close_directory(); goto again
        :: else
        fi
    }
    atomic {
        STEP;
        if
        :: inode[fd].gone -> close_directory(); goto again
        :: else -> inode[fd].readers = inode[fd].readers | BIT(me); goto hold_share
        fi
    }

take_over_and_share:
    atomic { STEP; inode[fd].had_readers = true }
    atomic {
        STEP;
        if
        :: inode[fd].gone -> close_directory(); goto again
        :: else -> inode[fd].readers = inode[fd].readers | BIT(me)
        fi
    }
    atomic { STEP; inode[fd].record = false; inode[fd].passed_on = false; alone = false }
    // flock(2) converts a lock by dropping it first: whoever has it in between must see that we are there.
#ifndef CONVERT_WITHOUT_A_MARK
    atomic { STEP; inode[fd].marks = inode[fd].marks | BIT(me) }
#endif
    atomic { STEP; inode[fd].ex = NONE }
    atomic {
        STEP;
        if
        :: CAN_LOCK_SH -> LOCK_SH
        :: else -> inode[fd].readers = inode[fd].readers & ~BIT(me); once_more = true; goto leave_queue
        fi
    }
    atomic { STEP; inode[fd].marks = inode[fd].marks & ~BIT(me) }
#ifndef TRUST_THE_CONVERSION
    atomic {
        STEP;
        if
        :: (inode[fd].readers & BIT(me)) == 0 -> once_more = true; goto give_up_share
        :: else
        fi
    }
#endif

hold_share:
    atomic {
        STEP;
        inside = true;
        readers_inside++;
        assert(writers_inside == 0);
        assert(IS_AT_PATH);
        assert((inode[fd].readers & BIT(me)) != 0)
    }
    atomic { STEP; inside = false; readers_inside-- }
    atomic { STEP; inode[fd].readers = inode[fd].readers & ~BIT(me) }
#ifdef READER_JUST_LEAVES
    goto closing;
#endif
give_up_share:
    atomic { STEP; inode[fd].sh = inode[fd].sh & ~BIT(me) }
    atomic { STEP; if :: CAN_LOCK_EX -> LOCK_EX :: else -> goto closing fi }
    atomic { STEP; inode[fd].readers = 0; goto give_up }

killed:
    // The kernel drops marks first, then the flock.
    atomic {
        somebody_was_killed = true;
        if
        :: inside && reads -> readers_inside--
        :: inside && !reads -> writers_inside--
        :: else
        fi;
        if :: fd != NONE -> inode[fd].marks = inode[fd].marks & ~BIT(me) :: else fi
    }
    if :: fd != NONE -> close_directory() :: else fi;
leave:
    through++
}

// mkdir x.lock && work; rmdir x.lock
proctype script() {
    byte mine;
end_wait:
    atomic { path == NONE -> make_directory(false); mine = path; inode[mine].opens = BIT(7) }
    atomic { writers_inside++; assert(writers_inside == 1 && readers_inside == 0) }
    writers_inside--;
    atomic { assert(path == mine); inode[mine].opens = 0; remove_directory() }
}

// systemd-tmpfiles: removes what is empty.
proctype remover() {
end_wait:
    do
    :: atomic { removals > 0 && path != NONE && inode[path].ours && IS_EMPTY(path) -> removals--; remove_directory() }
    od
}

init {
    byte i;
    atomic {
        if :: kills = 0 :: kills = KILLS fi;
        if :: leaves = 0 :: leaves = LEAVES fi;
        for (i : 0 .. CONTENDERS - 1) {
#ifdef READERS
            run contender(i, true, true)
#else
            run contender(i, true, false)
#endif
        }
#ifdef SCRIPT
        run script();
#endif
#ifdef REMOVER
        run remover()
#endif
    }
    through == CONTENDERS;
    if
    :: somebody_was_killed -> run contender(CONTENDERS, false, false); through == CONTENDERS + 1
    :: else
    fi;
    assert(path == NONE || !inode[path].ours)
}
