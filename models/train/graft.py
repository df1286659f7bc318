"""Takes a checkpoint's weights into a network that lost layers (net.py), as a start for train.py.

    git show REVISION:models/train/net.py > before.py
    graft.py last.pt before.py -o .train/last.pt --data ../shared/train

What the units that went from a Gather contributed is fitted by least squares to what is left, in the
1x1 convolution behind them. The optimiser keeps its moments for the weights whose shapes are the same.
"""
import argparse
import importlib.util

import numpy as np
import torch

import net as after
from data import Painter, Photos

BATCHES, SIZE, SAMPLES = 60, 8, 800


def load_module(path):
    spec = importlib.util.spec_from_file_location("before", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Samples:
    """Rows of inputs and targets, some positions of every batch."""

    def __init__(self):
        self.x, self.y = [], []

    def add(self, x, y, rng):
        x, y = (v.flatten(2).transpose(1, 2).flatten(0, 1) for v in (x, y))
        some = torch.from_numpy(rng.choice(len(x), min(SAMPLES, len(x)), replace=False))
        self.x.append(x[some]), self.y.append(y[some])

    def fit(self):
        """Weights [out, in], constants [out], and the share of the variance that they explain."""
        x, y = torch.cat(self.x).double(), torch.cat(self.y).double()
        ones = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
        gram = ones.T @ ones
        w = torch.linalg.solve(gram + 1e-6 * gram.diagonal().mean() * torch.eye(len(gram)), ones.T @ y)
        left = (y - ones @ w).pow(2).mean() / (y - y.mean(0)).pow(2).mean()
        return w[:-1].T.float(), w[-1].float(), 1 - float(left)


def find_shortened(old, new):
    return [name for name, m in new.named_modules()
            if isinstance(m, after.Gather) and len(m.units) < len(old.get_submodule(name).units)]


def collect(old, new, painter, rng):
    gathers = {name: Samples() for name in find_shortened(old, new)}
    inputs = {}
    hooks = [old.get_submodule(name).register_forward_hook(
        lambda m, x, y, name=name: inputs.__setitem__(name, x[0])) for name in gathers]
    for _ in range(BATCHES):
        images = painter.batch(SIZE, 416, 256, 0.5)[0]
        old(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
        for name, samples in gathers.items():
            m = old.get_submodule(name)
            parts = [m.a(inputs[name]), m.b(inputs[name])]
            for unit in m.units:
                parts.append(unit(parts[-1]))
            kept = parts[:2 + len(new.get_submodule(name).units)]
            samples.add(torch.cat(kept, 1), m.join[0](torch.cat(parts, 1)), rng)
    for h in hooks:
        h.remove()
    return gathers


@torch.no_grad()
def graft(old, new, painter, rng):
    state = old.state_dict()
    own = new.state_dict()
    new.load_state_dict({k: v for k, v in state.items() if k in own and v.shape == own[k].shape}, strict=False)
    for name, samples in collect(old, new, painter, rng).items():
        w, c, share = samples.fit()
        print("%s: %.1f %% of the variance" % (name, 100 * share))
        join = new.get_submodule(name).join
        join[0].weight.copy_(w[:, :, None, None])
        join[1].running_mean.sub_(c)


def carry_moments(checkpoint, old, new, hints):
    """The optimiser's state of weights that are the same, numbered as train.py numbers them."""
    def order(net):
        named = list(net.named_parameters()) + [("hint." + k, v) for k, v in hints.items() if "adapt" in k]
        return [(k, v.shape) for k, v in named if v.dim() > 1] + [(k, v.shape) for k, v in named if v.dim() < 2]

    state, groups = checkpoint["optimiser"]["state"], checkpoint["optimiser"]["param_groups"]
    before = {name: i for i, name in enumerate(order(old))}
    now = order(new)
    kept = {i: state[before[name]] for i, name in enumerate(now) if before.get(name) in state}
    wide = sum(len(shape) > 1 for _, shape in now)
    groups[0]["params"], groups[1]["params"] = list(range(wide)), list(range(wide, len(now)))
    return {"state": kept, "param_groups": groups}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("checkpoint")
    p.add_argument("before", help="net.py of the checkpoint's network")
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--data", action="append", required=True)
    a = p.parse_args()
    torch.set_num_threads(1)
    checkpoint = torch.load(a.checkpoint, map_location="cpu")
    old, new = load_module(a.before).Street().eval(), after.Street().eval()
    old.load_state_dict(checkpoint["ema"])
    graft(old, new, Painter(Photos(a.data, classes=6), [3]), np.random.default_rng(3))
    checkpoint["optimiser"] = carry_moments(checkpoint, old, new, checkpoint["hints"] or {})
    checkpoint["net"] = checkpoint["ema"] = new.state_dict()
    torch.save(checkpoint, a.output)


if __name__ == "__main__":
    main()
