"""One contestant in a process of its own; it obeys one JSON line at a time.

    python worker.py ADAPTER MODEL PRECISION SAMPLE.npz CORE

It says {"version": ...} when it is ready. {"answer": FILE} saves its answers to all test images;
{"block": K} runs K images and gives {"median_us": ..., "min_us": ...}; end of input ends it.
"""

import importlib
import json
import os
import statistics
import sys
import time
from pathlib import Path


def main() -> None:
    """Load the model, then obey until the input ends."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # `scripts`, for `peers`
    adapter, model, precision, sample, core = sys.argv[1:]
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print does not get between the replies
    os.sched_setaffinity(0, {int(core)})  # before a library counts the cores
    import numpy as np

    images = np.load(sample)["images"]
    module, name = adapter.split(":")
    try:
        peer = getattr(importlib.import_module(f"peers.{module}"), name)(model, precision, sample)
        for index in range(50):
            peer.predict(images[index : index + 1])
    except Exception as error:  # a peer may raise anything; the others go on
        text = str(error).strip().splitlines() or [""]
        replies.write(json.dumps({"error": f"{type(error).__name__}: {text[0][:200]}"}) + "\n")
        return
    replies.write(json.dumps({"version": peer.version}) + "\n")
    position = 0
    for line in sys.stdin:
        request = json.loads(line)
        if "answer" in request:
            answers = [
                peer.predict(images[i : i + 1]).reshape(-1).copy() for i in range(len(images))
            ]
            np.save(request["answer"], np.stack(answers))
            reply = {}
        else:
            reply = _block(getattr(peer, "timed", peer.predict), images, request["block"], position)
            position += request["block"]
        replies.write(json.dumps(reply) + "\n")


def _block(predict, images, count, position):
    chosen = [images[i % len(images)][None] for i in range(position, position + count)]
    for image in chosen[:10]:  # caches are cold: another worker ran before
        predict(image)
    times, clock = [], time.perf_counter_ns
    for image in chosen:
        start = clock()
        predict(image)
        times.append(clock() - start)
    return {"median_us": statistics.median(times) / 1e3, "min_us": min(times) / 1e3}


if __name__ == "__main__":
    main()
