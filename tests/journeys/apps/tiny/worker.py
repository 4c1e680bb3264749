"""A worker that says which release it is of, and stops when it is asked to."""

import os
import signal
import threading

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
print("worker of", os.environ["UNDERWAY_RELEASE"], flush=True)
stop.wait()
