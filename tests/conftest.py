"""One thread per process: the models are tiny, and waiting for each other's threads costs more than it gains."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
