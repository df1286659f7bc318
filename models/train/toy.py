"""Draws a small set of one's own to try the recipe with: balls and boxes on noisy ground.

    toy.py ROOT [--photos 120] [--seed 1]
"""
import argparse
import os

import cv2
import numpy as np


def draw(rng):
    image = rng.integers(60, 180, (6, 8, 3)).astype(np.uint8)
    image = cv2.resize(image, (384, 288), interpolation=cv2.INTER_CUBIC)
    lines = []
    for _ in range(rng.integers(1, 6)):
        kind, r = int(rng.integers(2)), int(rng.integers(12, 50))
        x, y = int(rng.integers(r, 384 - r)), int(rng.integers(r, 288 - r))
        for k in range(r, 0, -2):  # shaded from rim to middle
            shade = rng.integers(0, 6) + np.array([40, 90, 200] if kind else [180, 70, 40]) * (
                1.25 - 0.6 * k / r)
            colour = tuple(int(v) for v in np.clip(shade, 0, 255))
            if kind == 0:
                cv2.circle(image, (x, y), k, colour, -1, cv2.LINE_AA)
            else:
                cv2.rectangle(image, (x - k, y - k * 2 // 3), (x + k, y + k * 2 // 3), colour, -1)
        h = r if kind == 0 else r * 2 // 3
        lines.append("%d %.5f %.5f %.5f %.5f" % (kind, x / 384, y / 288, 2 * r / 384, 2 * h / 288))
    noise = rng.normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), lines


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("root")
    p.add_argument("--photos", type=int, default=120)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    for kind in ("images", "labels"):
        os.makedirs(os.path.join(a.root, "toys", kind), exist_ok=True)
    rng = np.random.default_rng(a.seed)
    for k in range(a.photos):
        image, lines = draw(rng)
        cv2.imwrite(os.path.join(a.root, "toys", "images", "%04d.jpg" % k), image)
        with open(os.path.join(a.root, "toys", "labels", "%04d.txt" % k), "w") as out:
            out.write("".join(line + "\n" for line in lines))
    with open(os.path.join(a.root, "names.txt"), "w") as out:
        out.write("ball\nbox\n")


if __name__ == "__main__":
    main()
