; The runner of native programs and its workers: threads that share the chunks of one instruction after the other.
;
; An instruction is four words: the address of a function i32 (ptr arguments, i64 chunk), that of its arguments, how many
; chunks there are, and how many sleeping workers are worth waking for them. A program is four words: the address of its instructions, their number, the address of the
; pool's memory, and whether it calls BLAS. gradflow/backend/native/threads.py lays out the pool's memory:
;   byte    0  ticket    the generation of the instruction now shared << 32 | how many of its chunks are unclaimed
;   byte  128  done      how many of its chunks are finished, by whoever
;   byte  256  the instruction now shared: function, arguments, chunks; then whether one of its chunks failed
;   byte  384  owner     1 while a thread runs a program with the workers; other threads run theirs alone
;   byte  512  sleeping  how many workers sleep, or are about to
;   byte  640  workers, pauses before a worker sleeps, and addresses: acquire and release a lock, give up the
;              processor, get and set the number of BLAS threads (null: no such function)
;   byte 1024  the workers, 128 bytes each: asleep, the address of its lock (held while there is no reason to wake),
;              whether to end, the address of this memory
; Words that several threads write are 128 bytes apart, two cache lines, as processors fetch them in pairs.
; A chunk is claimed by taking 1 from the ticket, generation and all, so that a worker that was delayed cannot claim a
; chunk of an instruction it knows nothing of: the instruction changes only when all its chunks are finished, and then
; the generation is another.

define i64 @run(ptr %program) {                            ; -> the instruction that failed, -1 if none did
  %instructions = load ptr, ptr %program
  %program.count = getelementptr i64, ptr %program, i64 1
  %count = load i64, ptr %program.count
  %program.pool = getelementptr i64, ptr %program, i64 2
  %pool = load ptr, ptr %program.pool
  %program.blas = getelementptr i64, ptr %program, i64 3
  %blas = load i64, ptr %program.blas
  %owner = getelementptr i8, ptr %pool, i64 384
  %taking = cmpxchg ptr %owner, i64 0, i64 1 acquire monotonic
  %owned = extractvalue { i64, i1 } %taking, 1
  br i1 %owned, label %together, label %alone
together:
  %limiting = icmp ne i64 %blas, 0
  br i1 %limiting, label %limit, label %share
limit:
  %threads = call i32 @one_blas_thread(ptr %pool)
  br label %share
share:
  %restored = phi i32 [ 1, %together ], [ %threads, %limit ]
  %workers.at = getelementptr i8, ptr %pool, i64 640
  %workers = load atomic i64, ptr %workers.at monotonic, align 8
  %shared = icmp ne i64 %workers, 0
  %failed = call i64 @execute(ptr %instructions, i64 %count, ptr %pool, i1 %shared)
  call void @blas_threads(ptr %pool, i32 %restored)
  store atomic i64 0, ptr %owner release, align 8
  ret i64 %failed
alone:
  %failed.alone = call i64 @execute(ptr %instructions, i64 %count, ptr %pool, i1 false)
  ret i64 %failed.alone
}

define i64 @run_alone(ptr %program) {                      ; the same on this thread alone, BLAS left as it is
  %instructions = load ptr, ptr %program
  %program.count = getelementptr i64, ptr %program, i64 1
  %count = load i64, ptr %program.count
  %failed = call i64 @execute(ptr %instructions, i64 %count, ptr null, i1 false)
  ret i64 %failed
}

define internal i64 @execute(ptr %instructions, i64 %count, ptr %pool, i1 %shared) {
  br label %next
next:
  %i = phi i64 [ 0, %0 ], [ %i.next, %succeeded ]
  %end = icmp eq i64 %i, %count
  br i1 %end, label %finished, label %instruction
instruction:
  %function.at = getelementptr [4 x i64], ptr %instructions, i64 %i
  %function = load ptr, ptr %function.at
  %arguments.at = getelementptr i64, ptr %function.at, i64 1
  %arguments = load ptr, ptr %arguments.at
  %chunks.at = getelementptr i64, ptr %function.at, i64 2
  %chunks = load i64, ptr %chunks.at
  %calls.at = getelementptr i64, ptr %function.at, i64 3
  %calls = load i64, ptr %calls.at
  %several = icmp ugt i64 %chunks, 1
  %sharing = and i1 %several, %shared
  br i1 %sharing, label %share, label %alone
share:
  %failed.shared = call i1 @share(ptr %pool, ptr %function, ptr %arguments, i64 %chunks, i64 %calls)
  br i1 %failed.shared, label %failed, label %succeeded
alone:                                                     ; one chunk after the other, in this thread
  %chunk = phi i64 [ 0, %instruction ], [ %chunk.next, %chunk.succeeded ]
  %chunk.end = icmp eq i64 %chunk, %chunks
  br i1 %chunk.end, label %succeeded, label %do
do:
  %status = call i32 %function(ptr %arguments, i64 %chunk)
  %chunk.failed = icmp ne i32 %status, 0
  br i1 %chunk.failed, label %failed, label %chunk.succeeded
chunk.succeeded:
  %chunk.next = add i64 %chunk, 1
  br label %alone
succeeded:
  %i.next = add i64 %i, 1
  br label %next
failed:
  ret i64 %i
finished:
  ret i64 -1
}

; one instruction, with the workers: publish it, wake who sleeps, work, and wait for the chunks that others claimed
define internal i1 @share(ptr %pool, ptr %function, ptr %arguments, i64 %chunks, i64 %calls) {
  %done = getelementptr i8, ptr %pool, i64 128
  store atomic i64 0, ptr %done monotonic, align 8
  %function.at = getelementptr i8, ptr %pool, i64 256
  store atomic ptr %function, ptr %function.at monotonic, align 8
  %arguments.at = getelementptr i8, ptr %pool, i64 264
  store atomic ptr %arguments, ptr %arguments.at monotonic, align 8
  %chunks.at = getelementptr i8, ptr %pool, i64 272
  store atomic i64 %chunks, ptr %chunks.at monotonic, align 8
  %before = load atomic i64, ptr %pool monotonic, align 8
  %generation = add i64 %before, 4294967296                ; nothing is unclaimed, so that the low half is 0
  %ticket = or i64 %generation, %chunks
  %replaced = atomicrmw xchg ptr %pool, i64 %ticket seq_cst ; before it is seen who sleeps
  call void @wake(ptr %pool, i64 %calls)
  br label %work
work:
  %claimed = call i1 @claim(ptr %pool)
  br i1 %claimed, label %work, label %wait
wait:
  %round = phi i64 [ 0, %work ], [ %round.next, %again ]
  %finished = load atomic i64, ptr %done acquire, align 8
  %all = icmp eq i64 %finished, %chunks
  br i1 %all, label %end, label %pause
pause:
  PAUSE
  %round.next = add i64 %round, 1
  %long = icmp ugt i64 %round.next, 1000                   ; the worker may be waiting for this processor
  br i1 %long, label %yield, label %again
yield:
  call void @give_up_processor(ptr %pool)
  br label %again
again:
  br label %wait
end:
  %failed.at = getelementptr i8, ptr %pool, i64 280
  %failed = load atomic i64, ptr %failed.at monotonic, align 8
  store atomic i64 0, ptr %failed.at monotonic, align 8
  %stop = icmp ne i64 %failed, 0
  ret i1 %stop
}

; claim a chunk and do it -> whether there was one (that somebody got)
define internal i1 @claim(ptr %pool) {
  %ticket = load atomic i64, ptr %pool acquire, align 8
  %left = and i64 %ticket, 4294967295
  %none = icmp eq i64 %left, 0
  br i1 %none, label %nothing, label %try
try:
  %function.at = getelementptr i8, ptr %pool, i64 256
  %function = load atomic ptr, ptr %function.at monotonic, align 8
  %arguments.at = getelementptr i8, ptr %pool, i64 264
  %arguments = load atomic ptr, ptr %arguments.at monotonic, align 8
  %chunks.at = getelementptr i8, ptr %pool, i64 272
  %chunks = load atomic i64, ptr %chunks.at monotonic, align 8
  %fewer = sub i64 %ticket, 1
  %taking = cmpxchg ptr %pool, i64 %ticket, i64 %fewer acq_rel monotonic
  %taken = extractvalue { i64, i1 } %taking, 1
  br i1 %taken, label %do, label %lost
do:
  %chunk = sub i64 %chunks, %left
  %status = call i32 %function(ptr %arguments, i64 %chunk)
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %note, label %finish
note:
  %failed.at = getelementptr i8, ptr %pool, i64 280
  store atomic i64 1, ptr %failed.at monotonic, align 8
  br label %finish
finish:
  %done = getelementptr i8, ptr %pool, i64 128
  %finished = atomicrmw add ptr %done, i64 1 release
  ret i1 true
lost:
  ret i1 true
nothing:
  ret i1 false
}

; what a worker does until it is told to end: claim chunks, look for more for a while, sleep
define void @serve(ptr %worker) {
  %lock.at = getelementptr i64, ptr %worker, i64 1
  %lock = load ptr, ptr %lock.at
  %end.at = getelementptr i64, ptr %worker, i64 2
  %pool.at = getelementptr i64, ptr %worker, i64 3
  %pool = load ptr, ptr %pool.at
  %sleeping = getelementptr i8, ptr %pool, i64 512
  %pauses.at = getelementptr i8, ptr %pool, i64 648
  %pauses = load i64, ptr %pauses.at
  %acquire.at = getelementptr i8, ptr %pool, i64 656
  %acquire = load ptr, ptr %acquire.at
  br label %look
look:
  %round = phi i64 [ 0, %0 ], [ 0, %look ], [ %round.next, %pause ], [ 0, %look.or.end ], [ 0, %sleep ]
  %claimed = call i1 @claim(ptr %pool)
  br i1 %claimed, label %look, label %idle
idle:
  %tired = icmp uge i64 %round, %pauses
  br i1 %tired, label %lie.down, label %pause
pause:
  PAUSE
  %round.next = add i64 %round, 1
  br label %look
lie.down:
  %asleep = atomicrmw xchg ptr %worker, i64 1 seq_cst      ; before the last look, so that nobody's call is missed
  %more = atomicrmw add ptr %sleeping, i64 1 seq_cst
  %end = load atomic i64, ptr %end.at seq_cst, align 8
  %ending = icmp ne i64 %end, 0
  %ticket = load atomic i64, ptr %pool seq_cst, align 8
  %left = and i64 %ticket, 4294967295
  %work = icmp ne i64 %left, 0
  %reason = or i1 %ending, %work
  br i1 %reason, label %rise, label %sleep
rise:
  %woken = call i1 @rouse(ptr %pool, ptr %worker)          ; false: somebody else did, and released the lock
  br i1 %woken, label %look.or.end, label %sleep
look.or.end:
  br i1 %ending, label %leave, label %look
sleep:
  %acquired = call i32 %acquire(ptr %lock, i32 1)
  %told = load atomic i64, ptr %end.at acquire, align 8
  %over = icmp ne i64 %told, 0
  br i1 %over, label %leave, label %look
leave:
  ret void
}

; -> whether the worker was asleep, or about to be, until now
define internal i1 @rouse(ptr %pool, ptr %worker) {
  %asleep = atomicrmw xchg ptr %worker, i64 0 seq_cst
  %was = icmp ne i64 %asleep, 0
  br i1 %was, label %count, label %not
count:
  %sleeping = getelementptr i8, ptr %pool, i64 512
  %fewer = atomicrmw sub ptr %sleeping, i64 1 seq_cst
  ret i1 true
not:
  ret i1 false
}

; wake at most so many of the workers that sleep
define void @wake(ptr %pool, i64 %wanted) {
  %sleeping.at = getelementptr i8, ptr %pool, i64 512
  %sleeping = load atomic i64, ptr %sleeping.at seq_cst, align 8
  %none = icmp eq i64 %sleeping, 0
  br i1 %none, label %end, label %begin
begin:
  %workers.at = getelementptr i8, ptr %pool, i64 640
  %workers = load atomic i64, ptr %workers.at monotonic, align 8
  %release.at = getelementptr i8, ptr %pool, i64 664
  %release = load ptr, ptr %release.at
  %first = getelementptr i8, ptr %pool, i64 1024
  br label %next
next:
  %i = phi i64 [ 0, %begin ], [ %i.next, %skip ]
  %left = phi i64 [ %wanted, %begin ], [ %left.next, %skip ]
  %last = icmp eq i64 %i, %workers
  %enough = icmp eq i64 %left, 0
  %over = or i1 %last, %enough
  br i1 %over, label %end, label %look
look:
  %worker = getelementptr [128 x i8], ptr %first, i64 %i
  %asleep = load atomic i64, ptr %worker monotonic, align 8
  %sleeps = icmp ne i64 %asleep, 0
  br i1 %sleeps, label %call, label %skip
call:
  %roused = call i1 @rouse(ptr %pool, ptr %worker)
  br i1 %roused, label %open, label %skip
open:
  %lock.at = getelementptr i64, ptr %worker, i64 1
  %lock = load ptr, ptr %lock.at
  call void %release(ptr %lock)
  br label %skip
skip:
  %woken = phi i64 [ 0, %look ], [ 0, %call ], [ 1, %open ]
  %left.next = sub i64 %left, %woken
  %i.next = add i64 %i, 1
  br label %next
end:
  ret void
}

define internal void @give_up_processor(ptr %pool) {
  %yield.at = getelementptr i8, ptr %pool, i64 672
  %yield = load ptr, ptr %yield.at
  %known = icmp ne ptr %yield, null
  br i1 %known, label %call, label %end
call:
  %status = call i32 %yield()
  br label %end
end:
  ret void
}

; BLAS on one thread from now on -> how many it had
define internal i32 @one_blas_thread(ptr %pool) {
  %get.at = getelementptr i8, ptr %pool, i64 680
  %get = load ptr, ptr %get.at
  %known = icmp ne ptr %get, null
  br i1 %known, label %ask, label %one
ask:
  %threads = call i32 %get()
  %several = icmp ne i32 %threads, 1
  br i1 %several, label %limit, label %one
limit:
  %set.at = getelementptr i8, ptr %pool, i64 688
  %set = load ptr, ptr %set.at
  call void %set(i32 1)
  ret i32 %threads
one:
  ret i32 1
}

define internal void @blas_threads(ptr %pool, i32 %threads) {
  %several = icmp ne i32 %threads, 1
  br i1 %several, label %set, label %end
set:
  %set.at = getelementptr i8, ptr %pool, i64 688
  %function = load ptr, ptr %set.at
  call void %function(i32 %threads)
  br label %end
end:
  ret void
}

define void @pauses(i64 %count) {                          ; to measure how long one takes
  br label %next
next:
  %i = phi i64 [ 0, %0 ], [ %i.next, %next ]
  PAUSE
  %i.next = add i64 %i, 1
  %end = icmp uge i64 %i.next, %count
  br i1 %end, label %over, label %next
over:
  ret void
}
