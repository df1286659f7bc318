"""Prints every measured figure of models/README.md, and with --write puts each in its place there.

    card.py models/street.onnx --shared ../shared [--part NAME ...] [--write models/README.md]

A part is what lies between `<!-- NAME -->` and `<!-- end NAME -->` in the file. Without --part all of
them, in the order of PARTS below; `streets` takes ten minutes, `speed` wants an idle machine. --shared
holds eval/coco64, models, video and train. Needs a built tree (--build) and, for `speed`, npm.
"""
import argparse
import os
import re
import subprocess
import sys

from data import NAMES, Photos, fail
from evaluate import at_threshold, average_precisions, detect, row
from export import load_any, load_network
from net import count_macs

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.abspath(os.path.join(HERE, "..", ".."))
PEERS = ("FastestDet", "yolox_nano")
VIDEOS = ("pt_people_topdown.mp4", "canersu_highway.mp4")
THRESHOLDS = (0.35, 0.4, 0.45)
STREETS = ("1", "40")


def run(a, *command, both=False):
    """What a command prints, with the built plugin and command on the paths."""
    build = os.path.abspath(a.build)
    env = dict(os.environ, FOVEA_DATA=TREE, FOVEA_BUILD=build,
               GST_PLUGIN_PATH=os.path.join(build, "plugins"),
               GST_REGISTRY=os.path.join(build, "gst-registry.bin"),
               PATH=os.path.join(build, "pipeline", "run") + ":" + os.environ["PATH"])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env,
                          stderr=subprocess.STDOUT if both else subprocess.PIPE)
    if done.returncode:
        fail("%s: %s" % (" ".join(command), (done.stderr or done.stdout).strip()))
    return done.stdout


def script(a, name, *arguments):
    return run(a, sys.executable, os.path.join(HERE, name), *arguments).strip()


def levels(*values):
    return [word for v in values for word in ("--threshold", "%.2f" % v)]


def size(a):
    net = load_network(a.model)
    return "%.3f M parameters, %.0f MMAC at 416x256, %.1f MB" % (
        sum(p.numel() for p in net.parameters()) / 1e6, count_macs(net, 256, 416),
        os.path.getsize(a.model) / 1e6)


def accuracy(a):
    lines = ["| AP50 | %s |" % " | ".join(NAMES), "|---" * (len(NAMES) + 1) + "|"]
    photos = os.path.join(a.shared, "eval", "coco64")
    for model in [a.model] + [os.path.join(a.shared, "models", p + ".onnx") for p in PEERS]:
        said = run(a, "fovea", "eval", "det", "--model", model, "--images", photos + "/images",
                   "--labels", photos + "/labels", "--names", a.shared + "/models/coco.names")
        rows = [line.split() for line in said.replace("motorbike", "motorcycle").splitlines()]
        found = {cells[0]: cells[3] for cells in rows if len(cells) == 5 and cells[0] in NAMES}
        name = os.path.splitext(os.path.basename(model))[0]
        lines.append("| %s | %s |" % (name, " | ".join(found.get(n, "-") for n in NAMES)))
    return "\n".join(lines)


def clip(a):
    said = script(a, "clip.py", a.model, "--every", "10", *levels(0.3, 0.4, 0.5))
    return "```\n%s\n```" % said


def teacher(a):
    videos = [os.path.join(a.shared, "video", v) for v in VIDEOS]
    said = script(a, "against.py", a.model, a.shared + "/models/yolox_nano.onnx", *videos,
                  *levels(*THRESHOLDS))
    return "```\n%s\n```" % said


def threshold(a):
    held = Photos([os.path.join(a.shared, "train")], "val", ("coco17", "coco128"))
    found = detect(load_any(a.model), held.images, 416, 256)
    lines = ["%d photos: %s" % (len(held.images), row(average_precisions(
        found, held.boxes, len(NAMES)))), "",
        "| threshold | person recall, precision, F1 | car recall, precision, F1 |", "|---|---|---|"]
    for level in THRESHOLDS:
        cells = [", ".join("%.3f" % v for v in at_threshold(found, held.boxes, c, level))
                 for c in (0, 2)]
        lines.append("| %.2f | %s |" % (level, " | ".join(cells)))
    return "\n".join(lines)


def streets(a):
    said = run(a, os.path.join(TREE, "tests", "tools", "streets.sh"), *STREETS)
    return "```\n%s\n```" % "\n".join(
        line for line in said.splitlines() if "all counted right" not in line)


def speed(a):
    peer = os.path.join(a.shared, "models", "yolox_nano.onnx")
    said = run(a, os.path.join(TREE, "tests", "tools", "bench.sh"), "--compare", a.model, peer)
    ours, theirs = [line.split() for line in said.strip().splitlines()[-2:]]
    rates = [float(re.search(r"([0-9.]+) fps", run(
        a, "fovea", "annotate", os.path.join(TREE, "samples", "street.mp4"), "-o",
        os.path.join(a.build, "card.mp4"), both=True)).group(1)) for _ in range(3)]
    os.remove(os.path.join(a.build, "card.mp4"))
    return ("%s: %s ms a picture; ONNX Runtime needs %s ms for it and %s ms for yolox_nano in the "
            "same run (`ROUNDS=3\nRUNS=15 tests/tools/bench.sh --compare`). `fovea annotate "
            "samples/street.mp4 -o a.mp4`, with decoding, tracking, drawing and\nencoding: %.1f "
            "frames a second, the best of three." % (
                said.split(", load")[0], ours[1], ours[2], theirs[2], max(rates)))


PARTS = {"size": size, "accuracy": accuracy, "clip": clip, "teacher": teacher,
         "threshold": threshold, "streets": streets, "speed": speed}


def replace(path, name, text):
    """The part of this name; one inside a line stays there."""
    with open(path) as file:
        card = file.read()
    start, end = "<!-- %s -->" % name, "<!-- end %s -->" % name
    if card.count(start) != 1 or card.count(end) != 1:
        fail("%s: %s and %s must be there once each" % (path, start, end))
    i, j = card.index(start) + len(start), card.index(end)
    with open(path, "w") as file:
        file.write(card[:i] + ("\n" + text + "\n" if card[i] == "\n" else text) + card[j:])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("model")
    p.add_argument("--shared", required=True)
    p.add_argument("--build", default=os.path.join(TREE, "build"))
    p.add_argument("--part", action="append", choices=list(PARTS))
    p.add_argument("--write", metavar="FILE")
    a = p.parse_args()
    for name in a.part or PARTS:
        text = PARTS[name](a)
        print("%s:\n%s\n" % (name, text), flush=True)
        if a.write:
            replace(a.write, name, text)


if __name__ == "__main__":
    main()
