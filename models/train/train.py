"""Trains the street detector. Resumes by itself from OUT/last.pt.

    train.py --data ../shared/train --teacher yolox_nano.onnx --out .train --until 18:10

The schedule runs on progress 0..1, measured in steps (--steps N: reproducible) or in wall time
(--until HH:MM or --minutes M: takes what the machine gives). With --steps a run that was broken off
and is called again ends with the same weights as one that was not (same --threads). A run that is
resumed with a later end goes on from the progress it had; --restart-lr P sets the progress back to P to
train on where it had reached its end.
"""
import argparse
import datetime
import hashlib
import json
import math
import os
import shutil
import sys
import time

import cv2
import numpy as np
import torch

from data import NAMES, Loader, Photos, fail, need_file, read_names
from evaluate import load_folder, row, score
from export import unfold
from loss import Hints, decode, label_loss, teacher_loss
from net import Street, count_macs
from teacher import Teacher

# progress at which a row begins, shapes (width, height), photos a step, share of mosaics
PHASES = ((0.00, ((320, 192), (320, 192), (256, 224)), 16, 0.60),
          (0.50, ((416, 256), (416, 256), (320, 256), (320, 192)), 16, 0.60),
          (0.88, ((416, 256), (416, 256), (352, 288)), 16, 0.25))
HINT_END, TEACHER_END = 0.60, 0.60
WARMUP_STEPS = 300


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("'%s' is not a whole number from 1 on" % text)
    return int(text)


def hour(text):
    try:
        return datetime.datetime.strptime(text, "%H:%M")
    except ValueError:
        raise argparse.ArgumentTypeError("'%s' is no time of the day as 18:10" % text)


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--data", action="append", required=True, help="training folder (repeatable)")
    p.add_argument("--names", help="class names, one a line (default: street's six)")
    p.add_argument("--teacher", help="YOLOX ONNX file; without it labels alone teach")
    p.add_argument("--out", default=".train")
    p.add_argument("--mirror", help="folder that gets a copy of every checkpoint")
    p.add_argument("--eval", nargs=3, metavar=("IMAGES", "LABELS", "NAMES"))
    end = p.add_mutually_exclusive_group(required=True)
    end.add_argument("--steps", type=positive)
    end.add_argument("--until", type=hour, help="HH:MM")
    end.add_argument("--minutes", type=positive)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--restart-lr", type=float, metavar="PROGRESS")
    p.add_argument("--init", help="checkpoint or .onnx whose weights to start from (new run)")
    p.add_argument("--save-minutes", type=float, default=5)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return p.parse_args()


class Clock:
    """Progress 0..1 by steps or by wall time."""

    def __init__(self, args, progress, step):
        self.first, self.start = progress, time.time()
        self.first_step, self.steps = step, args.steps
        self.end = None
        if args.minutes:
            self.end = self.start + 60 * args.minutes
        elif args.until:
            now = datetime.datetime.now()
            end = now.replace(hour=args.until.hour, minute=args.until.minute, second=0)
            self.end = (end if end > now else end + datetime.timedelta(days=1)).timestamp()

    def at(self, step):
        if self.end is None:
            share = (step - self.first_step) / max(1, self.steps - self.first_step)
        else:
            share = (time.time() - self.start) / (self.end - self.start)
        return min(1.0, self.first + (1 - self.first) * share)


class Average:
    """Exponential moving average of all weights and batch norm statistics."""

    def __init__(self, net, decay=0.999):
        self.state = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.decay = decay

    def update(self, net, step):
        d = min(self.decay, (1 + step) / (20 + step))
        for k, v in net.state_dict().items():
            if v.dtype.is_floating_point:
                self.state[k].mul_(d).add_(v.detach(), alpha=1 - d)
            else:
                self.state[k].copy_(v)


def jitter(x, rng):
    """Brightness, contrast, saturation, white balance, gamma, grey and noise, per photo."""
    b = x.shape[0]

    def u(lo, hi, c=1):
        return torch.from_numpy(rng.uniform(lo, hi, (b, c, 1, 1)).astype(np.float32)).to(x.device)

    grey = (x * torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)).sum(1, True)
    saturation = u(0.4, 1.6) * (u(0, 1) > 0.06)
    x = grey + (x - grey) * saturation
    x = x * u(0.88, 1.12, 3)
    mean = x.mean((1, 2, 3), True)
    x = (x - mean) * u(0.65, 1.35) + mean * u(0.6, 1.4)
    x = x.clamp(1e-3, 1) ** u(0.75, 1.3)
    if rng.random() < 0.2:
        x = x + torch.randn_like(x) * u(0, 0.05)
    return x.clamp(0, 1)


def optimiser(net, hints, lr):
    decay, free = [], []
    for m in (net, hints):
        for p in (m.parameters() if m is not None else ()):
            (decay if p.dim() > 1 else free).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": 0.03},
                              {"params": free, "weight_decay": 0.0}], lr=lr)


def set_mode(net, init):
    """Training mode; batch norms that came folded out of an .onnx file keep their statistics."""
    net.train()
    if init and init.endswith(".onnx"):
        for m in net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.eval()


def start_from(net, path):
    """Weights of a checkpoint (EMA) or of an exported file, as far as their shapes agree."""
    if path.endswith(".onnx"):
        unfold(net, path)
        return
    state = torch.load(path, map_location="cpu")["ema"]
    own = net.state_dict()
    net.load_state_dict({k: v for k, v in state.items() if v.shape == own[k].shape}, strict=False)


class Run:
    def __init__(self, args):
        self.args, self.device = args, torch.device(args.device)
        self.names = read_names(args.names) if args.names else list(NAMES)
        self.net = Street(len(self.names)).to(self.device, memory_format=torch.channels_last)
        self.teacher = Teacher(args.teacher, self.device) if args.teacher else None
        self.hints = None
        if self.teacher:
            self.hints = Hints((64, 128, 160, 64, 64, 64), self.teacher.widths).to(self.device)
        self.optimiser = optimiser(self.net, self.hints, args.lr)
        self.step, self.seen, self.progress = 0, 0, 0.0
        if args.init:
            start_from(self.net, args.init)
        self.average = Average(self.net)
        self.path = os.path.join(args.out, "last.pt")
        if os.path.exists(self.path):
            self.load()
        if args.steps:
            self.progress = min(1.0, self.step / args.steps)
        if args.restart_lr is not None:
            self.progress = args.restart_lr
        if self.progress >= 1:
            fail("%s has reached its end after %d steps; more --steps, or --restart-lr 0.5, train on" %
                 (self.path, self.step))
        whole = args.steps and args.restart_lr is None
        self.clock = Clock(args, 0.0, 0) if whole else Clock(args, self.progress, self.step)

    def load(self):
        s = torch.load(self.path, map_location=self.device)
        self.net.load_state_dict(s["net"])
        self.average.state = s["ema"]
        self.optimiser.load_state_dict(s["optimiser"])
        if self.hints is not None and s["hints"]:
            self.hints.load_state_dict(s["hints"])
        self.step, self.seen, self.progress = s["step"], s["seen"], s["progress"]

    def save(self):
        state = {"net": self.net.state_dict(), "ema": self.average.state, "step": self.step,
                 "seen": self.seen, "progress": self.progress,
                 "optimiser": self.optimiser.state_dict(),
                 "hints": self.hints.state_dict() if self.hints is not None else None}
        torch.save(state, self.path + ".new")
        os.replace(self.path + ".new", self.path)
        if self.args.mirror:
            os.makedirs(self.args.mirror, exist_ok=True)
            for name in ("last.pt", "log.jsonl", "train.log"):
                source = os.path.join(self.args.out, name)
                if os.path.exists(source):
                    shutil.copyfile(source, os.path.join(self.args.mirror, name + ".new"))
                    os.replace(os.path.join(self.args.mirror, name + ".new"),
                               os.path.join(self.args.mirror, name))

    def rate(self):
        warm = min(1.0, max((self.step + 1) / WARMUP_STEPS, self.progress / 0.05))
        return self.args.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))

    def request(self, step):
        progress = self.clock.at(step)
        phase = [p for p in PHASES if p[0] <= progress][-1]
        rng = np.random.default_rng([self.args.seed, step, 1])
        width, height = phase[1][rng.integers(len(phase[1]))]
        return phase[2], width, height, phase[3]

    def train_step(self, images, truth, known):
        x = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        torch.manual_seed(self.args.seed + self.step)
        rng = np.random.default_rng([self.args.seed, self.step, 2])
        x = jitter(x, rng).contiguous(memory_format=torch.channels_last)
        truth = torch.from_numpy(truth).to(self.device)
        known = torch.from_numpy(known).to(self.device).float()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        hint = max(0.0, 1 - self.progress / HINT_END)
        blend = max(0.0, 1 - self.progress / TEACHER_END)
        half = torch.autocast(self.device.type, dtype=torch.bfloat16)
        losses = {}
        told = None
        set_mode(self.net, self.args.init)
        if self.teacher and blend > 0:
            with half:
                told = self.teacher(x)
        with half:
            outputs, features = self.net(x)
            if told is not None:
                losses["hint"] = hint * self.hints(features, told[1])
        decoded = decode(outputs)
        losses["cls"], losses["box"] = label_loss(decoded, truth, known)
        losses["box"] = 2.0 * losses["box"]
        if told is not None and self.names == list(NAMES):  # else it knows other classes
            losses["t_cls"], losses["t_box"] = teacher_loss(decoded, told[0], known, blend)
        loss = sum(losses.values())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        self.seen += len(images)
        self.average.update(self.net, self.step)
        return {k: float(v) for k, v in losses.items()}


def validate(run, sets):
    net = Street(len(run.names)).to(run.device, memory_format=torch.channels_last)
    net.load_state_dict(run.average.state)
    net.eval()
    result = {}
    with torch.autocast(run.device.type, dtype=torch.bfloat16):
        for name, (photos, truth) in sets.items():
            ap = score(net, photos, truth, 416, 256, len(run.names))
            result[name] = [round(a, 4) if a == a else None for a in ap]
            print("    %-8s %s" % (name, row(ap, run.names)))
    return result


def fingerprint(roots):
    h = hashlib.sha256()
    for root in roots:
        h.update(open(os.path.join(root, "index.tsv"), "rb").read())
    return h.hexdigest()


def main():
    args = parse()
    for path in (args.teacher, args.init):
        need_file(path)
    os.makedirs(args.out, exist_ok=True)
    cv2.setNumThreads(1)
    ours = read_names(args.names) if args.names else list(NAMES)
    photos = Photos(args.data, classes=len(ours))
    loader = Loader(photos, args.seed, workers=args.workers)  # before torch starts its threads
    held = Photos(args.data, "val", ("coco17", "coco128") if not args.names else None,
                  classes=len(ours))
    sets = {"held": (held.images, held.boxes)} if held.images else {}
    if args.eval:
        sets["test"] = load_folder(args.eval[0], args.eval[1], read_names(args.eval[2]), ours)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    run = Run(args)
    loader.start(run.step)
    print("command: %s" % " ".join(sys.argv))
    print("data: %d photos, index.tsv sha256 %s" % (len(photos.images), fingerprint(args.data)))
    print("network: %.3f M parameters, %.0f MMAC at 416x256; torch %s on %s" % (
        sum(p.numel() for p in run.net.parameters()) / 1e6, count_macs(run.net, 256, 416),
        torch.__version__, args.device))
    log = open(os.path.join(args.out, "log.jsonl"), "a")
    mean, saved, began, first = {}, time.time(), time.time(), run.seen
    while run.progress < 1.0:
        losses = run.train_step(*loader.next(run.request))
        run.progress = run.clock.at(run.step)
        for k, v in losses.items():
            mean[k] = 0.98 * mean.get(k, v) + 0.02 * v
        if run.step % 100 == 0:
            print("%s step %d seen %d progress %.3f lr %.5f %.1f photos/s  %s" % (
                time.strftime("%H:%M:%S"), run.step, run.seen, run.progress, run.rate(),
                (run.seen - first) / (time.time() - began),
                " ".join("%s %.3f" % i for i in mean.items())))
            sys.stdout.flush()
        if time.time() - saved > 60 * args.save_minutes or run.progress >= 1.0:
            ap = validate(run, sets)
            entry = {"time": time.strftime("%H:%M:%S"), "step": run.step, "seen": run.seen,
                     "progress": round(run.progress, 4), "losses": mean, "ap50": ap}
            log.write(json.dumps(entry) + "\n")
            log.flush()
            sys.stdout.flush()
            run.save()
            saved = time.time()
    loader.close()


if __name__ == "__main__":
    main()
