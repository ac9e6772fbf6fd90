"""The whole server in one thread, under a simulated clock, network and disk."""
import sys
from .world import run
from .schedule import Trace
import time
first,last=map(int,sys.argv[1].split("-")) if "-" in sys.argv[1] else (int(sys.argv[1]),)*2
t=time.process_time(); n=0; ev=0
from twisted.logger import globalLogBeginner
globalLogBeginner.beginLoggingTo([],redirectStandardIO=False,discardBuffer=True)
import traceback
import gc
gc.collect(); gc.freeze()
for seed in range(first,last+1):
    trace=Trace(print if "--trace" in sys.argv else None)
    try:
        run(seed,trace)
    except AssertionError as e:
        print("SEED",seed)
        if first==last: traceback.print_exc()
        else: print(repr(e)[:600]); 
        n+=1
    ev+=trace.length
print(n,"broken",(time.process_time()-t)/(last-first+1)*1000,"ms/seed",ev/(last-first+1))
