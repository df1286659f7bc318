"""The street detector: a small anchor-free network of dense 3x3 and 1x1 convolutions.

Only what the engine runs fast is used: Conv (stride 1 or 2) + BN (folded at export) + ReLU,
nearest Resize x2 and Concat; every channel count is a multiple of 8. Three output maps (strides 8,
16, 32), each of 4 + C channels: left, top, right, bottom distances before softplus and C class
logits. There is no objectness.
"""
import torch
from torch import nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)


class Unit(nn.Sequential):
    """Conv without bias, batch norm, ReLU."""

    def __init__(self, cin, cout, k, stride=1):
        super().__init__(nn.Conv2d(cin, cout, k, stride, k // 2, bias=False),
                         nn.BatchNorm2d(cout, eps=1e-3, momentum=0.03), nn.ReLU(inplace=True))


class Gather(nn.Module):
    """Two 1x1 branches; n 3x3 units behind one another on the second; a 1x1 over all of them."""

    def __init__(self, cin, cout, hidden, n):
        super().__init__()
        self.a, self.b = Unit(cin, hidden, 1), Unit(cin, hidden, 1)
        self.units = nn.ModuleList(Unit(hidden, hidden, 3) for _ in range(n))
        self.join = Unit(hidden * (n + 2), cout, 1)

    def forward(self, x):
        parts = [self.a(x), self.b(x)]
        for unit in self.units:
            parts.append(unit(parts[-1]))
        return self.join(torch.cat(parts, 1))


class Street(nn.Module):
    """forward: [B, 3, H, W] in 0..1 RGB, H and W multiples of 32 -> (outputs, features)."""

    def __init__(self, classes=6, width=64):
        super().__init__()
        w = width
        self.classes = classes
        self.stem = nn.Sequential(Unit(3, 16, 3, 2), Unit(16, 32, 3, 2))
        self.c8 = nn.Sequential(Unit(32, 64, 3, 2), Gather(64, 64, 32, 2))
        self.c16 = nn.Sequential(Unit(64, 128, 3, 2), Gather(128, 128, 64, 2))
        self.c32 = nn.Sequential(Unit(128, 160, 3, 2), Gather(160, 160, 64, 1))
        self.lat32, self.lat16 = Unit(160, w, 1), Unit(128, w, 1)
        self.top16, self.top8 = Gather(2 * w, w, 32, 1), Gather(w + 64, w, 32, 1)
        self.down16, self.out16 = Unit(w, w, 3, 2), Gather(2 * w, w, 32, 1)
        self.down32, self.out32 = Unit(w, w, 3, 2), Gather(2 * w, w, 32, 1)
        self.head = nn.ModuleList(Unit(w, w, 3) for _ in STRIDES)
        self.pred = nn.ModuleList(nn.Conv2d(w, 4 + classes, 1) for _ in STRIDES)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
        for pred in self.pred:
            nn.init.normal_(pred.weight, std=0.01)
            nn.init.constant_(pred.bias[:4], 1.0)
            nn.init.constant_(pred.bias[4:], -4.6)

    def forward(self, x):
        c8 = self.c8(self.stem(x))
        c16 = self.c16(c8)
        c32 = self.c32(c16)
        l32 = self.lat32(c32)
        t16 = self.top16(torch.cat([F.interpolate(l32, scale_factor=2.0), self.lat16(c16)], 1))
        p8 = self.top8(torch.cat([F.interpolate(t16, scale_factor=2.0), c8], 1))
        p16 = self.out16(torch.cat([self.down16(p8), t16], 1))
        p32 = self.out32(torch.cat([self.down32(p16), l32], 1))
        outputs = [pred(head(p)) for pred, head, p in zip(self.pred, self.head, (p8, p16, p32))]
        return outputs, (c8, c16, c32, p8, p16, p32)


def count_macs(net, height, width):
    """Multiply-adds of one picture, in millions (convolutions only)."""
    total, hooks = [0], []

    def hook(m, _, y):
        total[0] += m.weight.numel() * y.shape[2] * y.shape[3]

    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            hooks.append(m.register_forward_hook(hook))
    was = net.training
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, 3, height, width, device=next(net.parameters()).device))
    net.train(was)
    for h in hooks:
        h.remove()
    return total[0] / 1e6
