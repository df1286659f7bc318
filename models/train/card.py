"""Measures a model for its card and prints (--write README.md: replaces) the table and the lists.

    card.py MODEL.onnx --images D --labels D --names coco.names [--peer P.onnx ...]
            [--fovea build/pipeline/run/fovea] [--against TEACHER.onnx VIDEO ...] [--write README.md]

AP50 by `fovea eval det` for the model and the peers; recall and precision on the sample clip by
clip.py; what the teacher finds on videos and the model misses by against.py. --write fills what lies
between the lines `<!-- measured -->` and `<!-- end -->`.
"""
import argparse
import os
import subprocess
import sys

from data import NAMES

HERE = os.path.dirname(os.path.abspath(__file__))


def average_precisions(a, model):
    command = [a.fovea, "eval", "det", "--model", model, "--images", a.images, "--labels",
               a.labels, "--names", a.names]
    data = os.path.join(HERE, "..", "..")
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=dict(os.environ, FOVEA_DATA=data)).stdout
    found = {}
    for line in text.replace("motorbike", "motorcycle").splitlines():
        cells = line.split()
        if len(cells) == 5 and cells[0] in NAMES:
            found[cells[0]] = cells[3]
    return [found.get(n, "-") for n in NAMES]


def run(script, *arguments):
    return subprocess.run([sys.executable, os.path.join(HERE, script)] + list(arguments), check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()


def measure(a):
    lines = ["| AP50 | %s |" % " | ".join(NAMES), "|---" * (len(NAMES) + 1) + "|"]
    for model in [a.model] + a.peer:
        name = os.path.splitext(os.path.basename(model))[0]
        lines.append("| %s | %s |" % (name, " | ".join(average_precisions(a, model))))
    lines += ["", "Sample clip, every %d%s frame (hits, misses, false boxes):" % (
        a.every, "th"), "", "```"]
    lines += run("clip.py", a.model, "--every", str(a.every), "--threshold", "0.3",
                 "--threshold", "0.4", "--threshold", "0.5") + ["```"]
    if a.against:
        lines += ["", "Against %s on twelve frames of each video:" % os.path.basename(a.against[0]),
                  "", "```"] + run("against.py", a.model, *a.against) + ["```"]
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("model")
    p.add_argument("--images", required=True)
    p.add_argument("--labels", required=True)
    p.add_argument("--names", required=True)
    p.add_argument("--peer", action="append", default=[])
    p.add_argument("--fovea", default=os.path.join(HERE, "../../build/pipeline/run/fovea"))
    p.add_argument("--against", nargs="+")
    p.add_argument("--every", type=int, default=10)
    p.add_argument("--write")
    a = p.parse_args()
    text = measure(a)
    print(text)
    if a.write:
        card = open(a.write).read()
        start, end = "<!-- measured -->\n", "<!-- end -->"
        i, j = card.index(start) + len(start), card.index(end)
        open(a.write, "w").write(card[:i] + text + "\n" + card[j:])


if __name__ == "__main__":
    main()
