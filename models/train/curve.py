"""Draws the curve of a run: log.jsonl -> PNG (average precision against progress).

    curve.py LOG.jsonl -o CURVE.png [--set test]
"""
import argparse
import json

import cv2
import numpy as np

from data import NAMES

COLOURS = ((60, 60, 220), (30, 160, 30), (220, 120, 20), (160, 40, 160), (20, 160, 220),
           (110, 110, 110))  # BGR
LEFT, TOP, WIDTH, HEIGHT = 60, 30, 560, 320


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("log")
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--set", default="held")
    a = p.parse_args()
    rows = [json.loads(line) for line in open(a.log)]
    image = np.full((TOP + HEIGHT + 60, LEFT + WIDTH + 140, 3), 255, np.uint8)

    def text(s, x, y, colour=(40, 40, 40)):
        cv2.putText(image, s, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)

    most = max(row["seen"] for row in rows)
    for k in range(0, 11, 2):
        y = TOP + HEIGHT - HEIGHT * k // 10
        cv2.line(image, (LEFT, y), (LEFT + WIDTH, y), (225, 225, 225), 1)
        text("%.1f" % (k / 10), LEFT - 34, y + 4)
        text("%dk" % round(most * k / 10000), LEFT + WIDTH * k // 10 - 10, TOP + HEIGHT + 20)
    text("AP50 on the %s photos against photos seen" % a.set, LEFT, 18)
    for c, (name, colour) in enumerate(zip(NAMES, COLOURS)):
        points = [(LEFT + WIDTH * r["seen"] / most, TOP + HEIGHT * (1 - r["ap50"][a.set][c]))
                  for r in rows if r["ap50"].get(a.set) and r["ap50"][a.set][c] is not None]
        if not points:
            continue
        cv2.polylines(image, [np.array(points).round().astype(np.int32)], False, colour, 2,
                      cv2.LINE_AA)
        text(name, LEFT + WIDTH + 10, TOP + 20 + 22 * c, colour)
    cv2.imwrite(a.output, image)


if __name__ == "__main__":
    main()
