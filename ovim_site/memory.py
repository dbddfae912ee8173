"""How the processes that stay look for garbage."""

import gc


def settle() -> None:
    """What is loaded now stays for good: keep the collector from walking it again (facts/speed.md, tail).

    Walking everything that Django and the clients have loaded takes a worker more than a tenth of a second each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
