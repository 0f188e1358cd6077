"""The matting network: ResNet50-v2 without its last stage, a context path, a light decoder.

Shapes are NCHW. The input is sRGB in 0…1, normalised with the ImageNet mean and deviation of
`data.py`, float32 (N,3,S,S); S is a multiple of 32 px. Every output is a logit: `sigmoid(logit)` is
alpha, 0 background … 1 subject.

Sources: He et al., "Identity Mappings in Deep Residual Networks" (2016) for the encoder (weights:
ResNet50-v2 of the ONNX model zoo, Apache-2.0); Lin et al., "Feature Pyramid Networks" (2017) for
the top-down path.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGE_UNITS = (3, 4, 6)  # bottleneck units of ResNet50's first three stages
STAGE_CHANNELS = (256, 512, 1024)  # at strides 4, 8, 16
STEM_CHANNELS = 64  # at stride 2
DECODER_CHANNELS = (24, 48, 72, 96, 128)  # at strides 2, 4, 8, 16, 32
DECODER_BLOCKS = (1, 2, 2, 2, 2)
CONTEXT_CHANNELS = 128  # at strides 32 and 64
# Hidden channels of the dense blocks at strides 2, 4, 8, 16, 32 and 64: what int8 is quick at. They
# have three quarters of the decoder's weights. Up to run i (runs.md) the network had none.
DENSE_CHANNELS = ((32,), (64,), (96,), (128, 128), (192, 192), (128,))
DENSE = "dense."  # the start of their weights' names
HEAD_CHANNELS = 12  # at stride 1
SIZE_MULTIPLE_PX = 32


def scale_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Express BatchNorm with kept statistics as `x·scale + shift`; both float32 (C,)."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Merge `norm(conv(x))`, statistics kept, into one weight (O,I,k,k) and bias (O,)."""
    scale, shift = scale_shift(norm)
    weight = conv.weight * scale.view(-1, 1, 1, 1)
    return weight, shift if conv.bias is None else shift + conv.bias * scale


def normed(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Compute `norm(conv(x))`; as one convolution, a pass over memory less, if statistics are kept.

    Depthwise convolutions run in float32 also under autocast: on CPUs their weight gradient is 4
    times slower in bfloat16 (measured at 24…72 channels, channels last).
    """
    depthwise = conv.groups > 1
    with torch.autocast(
        x.device.type, enabled=torch.is_autocast_enabled(x.device.type) and not depthwise
    ):
        y = x.float() if depthwise else x
        if norm.training:
            y = norm(conv(y))
        else:
            y = functional.conv2d(
                y, *folded(conv, norm), conv.stride, conv.padding, conv.dilation, conv.groups
            )
    return y.to(x.dtype) if depthwise else y


class Norm(nn.BatchNorm2d):
    """BatchNorm + ReLU after a sum: no convolution to fold into; (N,C,H,W) -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.training:
            return super().forward(x).relu_()
        scale, shift = (t.to(x.dtype).view(1, -1, 1, 1) for t in scale_shift(self))
        return torch.addcmul(shift, x, scale).relu_()


class ConvNormAct(nn.Sequential):
    """1×1 convolution, BatchNorm, ReLU; (N,I,H,W) -> (N,O,H,W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        conv, norm = self
        return normed(conv, norm, x).relu_()


class Bottleneck(nn.Module):
    """Pre-activation bottleneck; (N,I,H,W) -> (N,O,H/stride,W/stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, project: bool) -> None:
        super().__init__()
        middle = outputs // 4
        self.bn0 = Norm(inputs)
        self.conv0 = nn.Conv2d(inputs, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv1 = nn.Conv2d(middle, middle, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, outputs, 1, bias=False)
        self.proj = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if project else None

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y = self.bn0(x)
        skip = x if self.proj is None else self.proj(y)
        y = normed(self.conv0, self.bn1, y).relu_()
        y = normed(self.conv1, self.bn2, y).relu_()
        return skip + self.conv2(y)


class Encoder(nn.Module):
    """ResNet50-v2 stem and stages 1–3; (N,3,S,S) -> features at strides 2, 4, 8, 16."""

    def __init__(self) -> None:
        super().__init__()
        self.bn_in = nn.BatchNorm2d(3)
        self.conv0 = nn.Conv2d(3, STEM_CHANNELS, 7, 2, 3, bias=False)
        self.bn0 = nn.BatchNorm2d(STEM_CHANNELS)
        stages, inputs = [], STEM_CHANNELS
        for index, (units, outputs) in enumerate(zip(STAGE_UNITS, STAGE_CHANNELS, strict=True)):
            stride = 1 if index == 0 else 2
            first = Bottleneck(inputs, outputs, stride, project=True)
            rest = [Bottleneck(outputs, outputs, 1, project=False) for _ in range(units - 1)]
            stages.append(nn.Sequential(first, *rest))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        scale, shift = (t.view(1, -1, 1, 1) for t in scale_shift(self.bn_in))
        x = normed(self.conv0, self.bn0, x * scale + shift).relu_()
        features = [x]
        x = functional.max_pool2d(x, 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Block(nn.Module):
    """Depthwise 5×5, BatchNorm, ReLU, 1×1, BatchNorm, sum, ReLU; (N,C,H,W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        depthwise, norm, _, pointwise, norm_out = self.f
        y = normed(depthwise, norm, x).relu_()
        return (x + normed(pointwise, norm_out, y)).relu_()


class Dense(nn.Module):
    """3×3, BatchNorm, ReLU, 3×3, BatchNorm, sum, ReLU; (N,C,H,W) -> the same.

    It starts as the identity of what is not negative, so a trained network can take it in.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        first, _, _, second, _ = self.f
        nn.init.kaiming_normal_(first.weight, nonlinearity="relu")
        nn.init.zeros_(second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        first, norm, _, second, norm_out = self.f
        y = normed(first, norm, x).relu_()
        return (x + normed(second, norm_out, y)).relu_()


class Context(nn.Sequential):
    """1×1, depthwise 5×5 stride 2, 1×1, two blocks; (N,I,H,W) -> (N,128,H/2,W/2)."""

    def __init__(self, inputs: int) -> None:
        c = CONTEXT_CHANNELS
        down = nn.Conv2d(c, c, 5, 2, 2, groups=c, bias=False)
        super().__init__(
            ConvNormAct(inputs, c), down, nn.BatchNorm2d(c), ConvNormAct(c, c), Block(c), Block(c)
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        reduce, down, norm, mix, first, second = self
        y = normed(down, norm, reduce(x))
        return second(first(mix(y)))


class Head(nn.Module):
    """Features (N,12,S,S) and RGB (N,3,S,S) -> a logit (N,1,S,S) to add: the fine edge."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(HEAD_CHANNELS + 3, HEAD_CHANNELS, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(HEAD_CHANNELS)
        self.out = nn.Conv2d(HEAD_CHANNELS, 1, 3, padding=1)

    def forward(self, features: Tensor, rgb: Tensor) -> Tensor:
        """See the class."""
        x = torch.cat((features, rgb.to(features.dtype)), 1)
        return self.out(normed(self.conv, self.norm, x).relu_())


def grown(x: Tensor, like: Tensor) -> Tensor:
    """Resize `x` (N,C,h,w), bilinear with half-pixel centres, to the height and width of `like`."""
    return functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


class MattingNet(nn.Module):
    """float32 (N,3,S,S), ImageNet-normalised -> logits at strides 1, 2, 4, 8, 16, 32."""

    def __init__(self) -> None:
        super().__init__()
        c = DECODER_CHANNELS
        self.encoder = Encoder()
        self.lateral_norm = nn.ModuleList(Norm(n) for n in STAGE_CHANNELS)
        lateral_inputs = (STEM_CHANNELS, *STAGE_CHANNELS)
        self.lateral = nn.ModuleList(
            ConvNormAct(i, o) for i, o in zip(lateral_inputs, c[:4], strict=True)
        )
        self.context32 = Context(STAGE_CHANNELS[-1])
        self.context64 = Context(CONTEXT_CHANNELS)
        n = CONTEXT_CHANNELS
        self.scene = nn.Sequential(nn.Conv2d(n, n, 1), nn.ReLU(), nn.Conv2d(n, n, 1))
        self.top_down = nn.ModuleList(
            ConvNormAct(i, o) for i, o in zip((*c[1:], n), c, strict=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Block(n) for _ in range(count)))
            for n, count in zip(c, DECODER_BLOCKS, strict=True)
        )
        self.dense = nn.ModuleList(
            nn.Sequential(*(Dense(n, hidden) for hidden in level))
            for n, level in zip((*c, CONTEXT_CHANNELS), DENSE_CHANNELS, strict=True)
        )
        self.side = nn.ModuleList(nn.Conv2d(n, 1, 1) for n in c)
        self.lift = ConvNormAct(c[0], HEAD_CHANNELS)
        self.head = Head()

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Compute the decoder's features at strides 2, 4, 8, 16, 32."""
        stem, *stages = self.encoder(rgb)
        stages = [norm(x) for norm, x in zip(self.lateral_norm, stages, strict=True)]
        skips = [lateral(x) for lateral, x in zip(self.lateral, (stem, *stages), strict=True)]
        skips.append(self.context32(stages[-1]))
        *dense, dense64 = self.dense
        x = dense64(self.context64(skips[-1]))
        x = x + self.scene(x.mean((2, 3), keepdim=True))
        found = []
        for level in reversed(range(len(skips))):
            x = self.blocks[level](skips[level] + grown(self.top_down[level](x), skips[level]))
            x = dense[level](x)
            found.append(x)
        return found[::-1]

    def forward(self, rgb: Tensor, *, deep: bool = True) -> list[Tensor]:
        """Compute all six logits, finest (the matte's) first; only that one if not `deep`."""
        found = self.features(rgb)
        sides = [side(x) for side, x in zip(self.side, found if deep else found[:1], strict=False)]
        finest = self.head(grown(self.lift(found[0]), rgb), rgb) + grown(sides[0], rgb)
        return [finest, *sides] if deep else [finest]
