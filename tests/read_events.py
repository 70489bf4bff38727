"""Reads the event files of a run with TensorBoard's own reader, and prints what is in them as one JSON object.

    python tests/read_events.py runs/net/001

Needs the package `tensorboard`, and no TensorFlow. Without it, it says that it is skipped and why.
"""

import json
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(0)


def main(folder):
    sizes = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}
    events = EventAccumulator(folder, size_guidance=sizes)
    events.Reload()
    tags = events.Tags()
    found = {
        "scalars": {t: [[e.step, e.value] for e in events.Scalars(t)] for t in tags["scalars"]},
        "images": {t: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in events.Images(t)] for t in tags["images"]},
        "histograms": {
            t: [[e.step, e.histogram_value.num, e.histogram_value.sum, len(e.histogram_value.bucket)] for e in events.Histograms(t)]
            for t in tags["histograms"]
        },
        "texts": {t: [e.tensor_proto.string_val[0].decode() for e in events.Tensors(t)] for t in tags["tensors"]},
        "graph": [],
    }
    if tags["graph"]:
        for node in events.Graph().node:
            shapes = node.attr["_output_shapes"].list.shape
            found["graph"].append([node.name, node.op, list(node.input), [[d.size for d in s.dim] for s in shapes]])
    print(json.dumps(found))


main(sys.argv[1])
