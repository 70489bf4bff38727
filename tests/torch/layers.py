"""Layers, activations and initialisers, and their twins."""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from harness import Row

L = "std.layers."


def biased(name, w, b=None):
    """The weights of a layer and its bias, by path."""
    return {f"{name}.w": w} | ({f"{name}.b": b} if b else {})


def conv(name, call, twin, x, w, b, **more):
    """A convolution: the twin takes x, weight and bias, of the same shapes as ours."""
    layer = call.split("(")[0]
    path = {"Conv1d": "conv1d_1", "Conv2d": "conv2d_1", "Conv3d": "conv3d_1", "DepthwiseConv2d": "depthwise_conv2d_1",
            "ConvTranspose1d": "conv_transpose1d_1", "ConvTranspose2d": "conv_transpose2d_1",
            "ConvTranspose3d": "conv_transpose3d_1"}[layer]
    return Row(name, f"{call}(x)", lambda x, p: twin(x, p[f"{path}.w"], p.get(f"{path}.b")), {"x": x}, L + layer,
               weights=biased(path, w, b), **more)


def one(name, call, twin, x=(2, 3, 5), imports=None):
    """A layer without weights, or a function, applied to one tensor."""
    return Row(name, f"{call}(x)", twin, {"x": x}, imports if imports is not None else L + call.split("(")[0])


def loaded(module, values):
    """A module with these weights in place of its own."""
    def forward(*args, **kwargs):
        return torch.func.functional_call(module, values, args, kwargs)
    return forward


CONVOLUTIONS = [
    conv("conv2d", "Conv2d(4, kernel: 3)", F.conv2d, (2, 3, 7, 6), (4, 3, 3, 3), (4,)),
    conv("conv2d stride pad", "Conv2d(4, kernel: [3, 2], stride: [2, 1], pad: [1, 0])",
         lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 0)), (2, 3, 7, 6), (4, 3, 3, 2), (4,)),
    conv("conv2d dilation groups", "Conv2d(6, kernel: 3, pad: 2, dilation: 2, groups: 2, bias: false)",
         lambda x, w, b: F.conv2d(x, w, b, padding=2, dilation=2, groups=2), (2, 4, 7, 6), (6, 2, 3, 3), None),
    conv("conv2d same", "Conv2d(4, kernel: [3, 5], same: true)",
         lambda x, w, b: F.conv2d(x, w, b, padding="same"), (2, 3, 7, 6), (4, 3, 3, 5), (4,)),
    conv("conv2d 1x1 stride", "Conv2d(4, kernel: 1, stride: 2)", lambda x, w, b: F.conv2d(x, w, b, stride=2),
         (2, 3, 7, 6), (4, 3, 1, 1), (4,)),
    # Few filters and long rows, where the kernel's gradient has a way of its own: odd numbers, and rows of two pieces.
    conv("conv2d long rows", "Conv2d(7, kernel: 3, pad: 1)", lambda x, w, b: F.conv2d(x, w, b, padding=1),
         (3, 3, 37, 41), (7, 3, 3, 3), (7,)),
    conv("conv2d long rows 1x1 groups", "Conv2d(6, kernel: 1, groups: 2)",
         lambda x, w, b: F.conv2d(x, w, b, groups=2), (2, 6, 21, 19), (6, 3, 1, 1), (6,)),
    conv("conv1d", "Conv1d(4, kernel: 3, stride: 2, pad: 1)",
         lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1), (2, 3, 9), (4, 3, 3), (4,)),
    conv("conv3d", "Conv3d(4, kernel: [2, 3, 3], stride: [1, 2, 1], pad: [1, 0, 1])",
         lambda x, w, b: F.conv3d(x, w, b, stride=(1, 2, 1), padding=(1, 0, 1)), (2, 3, 4, 7, 6), (4, 3, 2, 3, 3), (4,)),
    conv("depthwise", "DepthwiseConv2d(kernel: 3, multiplier: 2, stride: 2, pad: 1)",
         lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1, groups=3), (2, 3, 7, 21), (6, 1, 3, 3), (6,)),
    Row("separable", "SeparableConv2d(4, kernel: 3, same: true)(x)",
        lambda x, p: F.conv2d(F.conv2d(x, p["separable_conv2d_1.depthwise_conv2d_1.w"], padding=1, groups=3),
                              p["separable_conv2d_1.conv2d_1.w"], p["separable_conv2d_1.conv2d_1.b"]),
        {"x": (2, 3, 7, 6)}, L + "SeparableConv2d",
        weights={"separable_conv2d_1.depthwise_conv2d_1.w": (3, 1, 3, 3), "separable_conv2d_1.conv2d_1.w": (4, 3, 1, 1),
                 "separable_conv2d_1.conv2d_1.b": (4,)}),
    conv("transposed 2d", "ConvTranspose2d(4, kernel: 4, stride: 2, pad: 1)",
         lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1), (2, 3, 5, 4), (3, 4, 4, 4), (4,)),
    conv("transposed 2d output_pad groups dilation",
         "ConvTranspose2d(4, kernel: 3, stride: [2, 3], pad: 1, output_pad: 1, dilation: 2, groups: 2)",
         lambda x, w, b: F.conv_transpose2d(x, w, b, stride=(2, 3), padding=1, output_padding=1, dilation=2, groups=2),
         (2, 6, 5, 4), (6, 2, 3, 3), (4,)),
    conv("transposed 2d depthwise", "ConvTranspose2d(4, kernel: 2, stride: 2, groups: 4)",
         lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, groups=4), (2, 4, 5, 4), (4, 1, 2, 2), (4,)),
    conv("transposed 1d", "ConvTranspose1d(4, kernel: 3, stride: 2, output_pad: 1)",
         lambda x, w, b: F.conv_transpose1d(x, w, b, stride=2, output_padding=1), (2, 3, 5), (3, 4, 3), (4,)),
    conv("transposed 3d", "ConvTranspose3d(2, kernel: 2, stride: [1, 2, 2])",
         lambda x, w, b: F.conv_transpose3d(x, w, b, stride=(1, 2, 2)), (2, 3, 2, 4, 3), (3, 2, 2, 2, 2), (2,)),
]

POOLS = [
    one("max_pool1d", "MaxPool1d(3, stride: 2, pad: 1)", lambda x: F.max_pool1d(x, 3, 2, 1), (2, 3, 8)),
    one("max_pool2d", "MaxPool2d(2)", lambda x: F.max_pool2d(x, 2), (2, 3, 7, 6)),
    one("max_pool2d list", "MaxPool2d([3, 2], stride: [2, 1], pad: [1, 0])",
        lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 0)), (2, 3, 7, 6)),
    one("max_pool3d", "MaxPool3d(2)", lambda x: F.max_pool3d(x, 2), (2, 3, 4, 7, 6)),
    one("avg_pool1d", "AvgPool1d(3, stride: 2, pad: 1)", lambda x: F.avg_pool1d(x, 3, 2, 1), (2, 3, 8)),
    one("avg_pool2d", "AvgPool2d(3, stride: 2, pad: 1)", lambda x: F.avg_pool2d(x, 3, 2, 1), (2, 3, 7, 6)),
    one("avg_pool3d", "AvgPool3d([1, 2, 3])", lambda x: F.avg_pool3d(x, (1, 2, 3)), (2, 3, 4, 7, 6)),
    one("adaptive_avg_pool1d", "AdaptiveAvgPool1d(3)", lambda x: F.adaptive_avg_pool1d(x, 3), (2, 3, 8)),
    one("adaptive_avg_pool2d", "AdaptiveAvgPool2d([3, 4])", lambda x: F.adaptive_avg_pool2d(x, (3, 4)), (2, 3, 7, 6)),
    one("adaptive_avg_pool2d larger", "AdaptiveAvgPool2d(5)", lambda x: F.adaptive_avg_pool2d(x, 5), (2, 3, 3, 4)),
    one("global_avg_pool", "GlobalAvgPool()", lambda x: x.mean((2, 3)), (2, 3, 7, 6)),
    one("global_max_pool", "GlobalMaxPool()", lambda x: x.amax((2, 3)), (2, 3, 7, 6)),
    one("upsample", "Upsample([2, 3])", lambda x: F.interpolate(x, scale_factor=(2, 3), mode="nearest"), (2, 3, 4, 5)),
    one("upsample 3d", "Upsample(2)", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), (2, 3, 2, 4, 3)),
    one("upsample linear 1d", "UpsampleLinear(3)",
        lambda x: F.interpolate(x, scale_factor=3, mode="linear", align_corners=False), (2, 3, 5)),
    one("upsample bilinear", "UpsampleLinear(2)",
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), (2, 3, 4, 5)),
    one("upsample trilinear", "UpsampleLinear(2)",
        lambda x: F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False), (2, 3, 2, 4, 3)),
    one("pixel_shuffle", "PixelShuffle(2)", lambda x: F.pixel_shuffle(x, 2), (2, 8, 3, 4)),
]


def normed(shape, n, layer, twin, path, *rest, name=None, **more):
    weights = {f"{path}.scale": (n,), f"{path}.shift": (n,)} if "Rms" not in layer else {f"{path}.scale": (n,)}
    return Row(name or layer, f"{layer}(x)", twin, {"x": shape}, L + layer.split("(")[0], weights=weights, **more)


def batch_norm(x, p):
    return F.batch_norm(x, p["batch_norm_1.running_mean"].clone(), p["batch_norm_1.running_variance"].abs(),
                        p["batch_norm_1.scale"], p["batch_norm_1.shift"], training=True)


def running(x, p):
    mean, var = p["batch_norm_1.running_mean"].detach().clone(), p["batch_norm_1.running_variance"].detach().clone()
    F.batch_norm(x.detach(), mean, var, training=True, momentum=0.1)
    return {"batch_norm_1.running_mean": mean, "batch_norm_1.running_variance": var}


def spectral(x, p):
    u = p["spectral_norm_1.u"].detach()
    m = x.detach().flatten(1)
    v = F.normalize(m.T @ u, dim=0)
    u = F.normalize(m @ v, dim=0)
    return x / (u @ x.flatten(1) @ v)


STATE = {"batch_norm_1.running_mean": (3,), "batch_norm_1.running_variance": np.array([0.5, 1.5, 2.0])}
NORMS = [
    normed((2, 4, 5), 5, "LayerNorm()",
           lambda x, p: F.layer_norm(x, (5,), p["layer_norm_1.scale"], p["layer_norm_1.shift"]), "layer_norm_1"),
    normed((2, 4, 5), 5, "RmsNorm()", lambda x, p: F.rms_norm(x, (5,), p["rms_norm_1.scale"], 1e-6), "rms_norm_1"),
    normed((2, 6, 4, 3), 6, "GroupNorm(3)",
           lambda x, p: F.group_norm(x, 3, p["group_norm_1.scale"], p["group_norm_1.shift"]), "group_norm_1"),
    normed((2, 3, 4, 3), 3, "InstanceNorm(affine: true)",
           lambda x, p: F.instance_norm(x, weight=p["instance_norm_1.scale"], bias=p["instance_norm_1.shift"]),
           "instance_norm_1"),
    one("InstanceNorm plain", "InstanceNorm()", F.instance_norm, (2, 3, 4)),
    normed((4, 3, 2, 3), 3, "BatchNorm()", batch_norm, "batch_norm_1", states=STATE, after=running),
    normed((5, 3), 3, "BatchNorm()", batch_norm, "batch_norm_1", states=STATE, after=running, name="BatchNorm 1d"),
    Row("WeightNorm", "WeightNorm()(x)",
        lambda x, p: torch._weight_norm(x, p["weight_norm_1.g"].reshape(-1, 1, 1, 1), 0), {"x": (4, 3, 2, 2)},
        L + "WeightNorm", weights={"weight_norm_1.g": (4,)}),
    Row("SpectralNorm", "SpectralNorm()(x)", spectral, {"x": (4, 3, 2)}, L + "SpectralNorm",
        states={"spectral_norm_1.u": (4,)}),
]


def function(name, call, twin, x=(3, 4, 6)):
    return Row(name, call, twin, {"x": x})


ACTIVATIONS = [
    function("relu", "relu(x)", F.relu),
    function("leaky_relu", "leaky_relu(x, 0.2)", lambda x: F.leaky_relu(x, 0.2)),
    function("gelu", "gelu(x)", lambda x: F.gelu(x, approximate="tanh")),
    function("gelu_exact", "gelu_exact(x)", F.gelu),
    function("silu", "silu(x)", F.silu),
    function("softplus", "softplus(x)", F.softplus),
    function("log_sigmoid", "log_sigmoid(x)", F.logsigmoid),
    function("elu", "elu(x, 1.5)", lambda x: F.elu(x, 1.5)),
    function("selu", "selu(x)", F.selu),
    function("celu", "celu(x, 2.0)", lambda x: F.celu(x, 2.0)),
    function("softsign", "softsign(x)", F.softsign),
    function("hardtanh", "hardtanh(x, -0.5, 0.7)", lambda x: F.hardtanh(x, -0.5, 0.7)),
    function("relu6", "relu6(4 * x)", lambda x: F.relu6(4 * x)),
    function("hardsigmoid", "hardsigmoid(3 * x)", lambda x: F.hardsigmoid(3 * x)),
    function("hardswish", "hardswish(3 * x)", lambda x: F.hardswish(3 * x)),
    function("mish", "mish(x)", F.mish),
    function("tanhshrink", "tanhshrink(x)", F.tanhshrink),
    function("softshrink", "softshrink(x)", F.softshrink),
    function("hardshrink", "hardshrink(x)", F.hardshrink),
    function("glu", "glu(x, axis: 1)", lambda x: F.glu(x, 1)),
    function("softmax", "softmax(x, axis: 1)", lambda x: F.softmax(x, 1)),
    function("log_softmax", "log_softmax(x)", lambda x: F.log_softmax(x, -1)),
    Row("prelu", "Prelu()(x)", lambda x, p: F.prelu(x, p["prelu_1.slope"]), {"x": (3, 4, 2)}, L + "Prelu",
        weights={"prelu_1.slope": (1,)}),
    Row("prelu by channel", "Prelu(by_channel: true)(x)", lambda x, p: F.prelu(x, p["prelu_1.slope"]),
        {"x": (3, 4, 2)}, L + "Prelu", weights={"prelu_1.slope": (4,)}),
]


def attention_twin(causal=False, rotary=False, kv=None, heads=4):
    """Our `Attention` from PyTorch's products and `scaled_dot_product_attention`."""
    def twin(x, p, seen=None):
        d = x.shape[-1]
        kv_heads = kv or heads
        shared = d // heads * kv_heads
        at = "attention_1"
        q, k, v = (x @ p[f"{at}.w_qkv"] + p.get(f"{at}.b_qkv", 0)).split([d, shared, shared], -1)
        q, k, v = (y.unflatten(-1, (-1, d // heads)).transpose(1, 2) for y in (q, k, v))
        if rotary:
            q, k = rotated(q), rotated(k)
        mask = None if seen is None else seen[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=kv_heads != heads)
        return y.transpose(1, 2).flatten(2) @ p[f"{at}.w_out"] + p.get(f"{at}.b_out", 0)
    return twin


def rotated(x):
    t, d = x.shape[-2:]
    angle = torch.arange(t)[:, None] / 10000 ** (2 * torch.arange(d // 2, dtype=torch.float64) / d)
    turned = torch.view_as_complex(torch.stack(x.chunk(2, -1), -1).contiguous()) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], -1)


def sinusoidal(x):
    t, d = x.shape[-2:]
    angle = torch.arange(t)[:, None] / 10000 ** (2 * torch.arange(d // 2, dtype=torch.float64) / d)
    return x + torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def mha(p, at, width, memory=None, cross=False):
    """The weights of `nn.MultiheadAttention` from ours: `in_proj_weight` is `w_qkv` transposed, `out_proj` `w_out`."""
    if cross:
        w = torch.cat([p[f"{at}.w_q"].T, p[f"{at}.w_kv"].T])
        b = torch.cat([p[f"{at}.b_q"], p[f"{at}.b_kv"]])
    else:
        w, b = p[f"{at}.w_qkv"].T, p[f"{at}.b_qkv"]
    return {"in_proj_weight": w, "in_proj_bias": b, "out_proj.weight": p[f"{at}.w_out"].T,
            "out_proj.bias": p[f"{at}.b_out"]}


def block(p, at, names, width, cross=None):
    """The weights of a `nn.TransformerEncoderLayer` or `DecoderLayer` from ours."""
    out = {f"self_attn.{n}": v for n, v in mha(p, f"{at}.attention", width).items()}
    if cross:
        out |= {f"multihead_attn.{n}": v for n, v in mha(p, f"{at}.cross", width, cross=True).items()}
    for i in (1, 2):
        out |= {f"linear{i}.weight": p[f"{at}.feed.dense_{i}.w"].T, f"linear{i}.bias": p[f"{at}.feed.dense_{i}.b"]}
    for i in range(1, names + 1):
        out |= {f"norm{i}.weight": p[f"{at}.layer_norm_{i}.scale"], f"norm{i}.bias": p[f"{at}.layer_norm_{i}.shift"]}
    return out


def attention_weights(at, d, cross=False, e=None):
    e = e or d
    if cross:
        return {f"{at}.w_q": (d, d), f"{at}.w_kv": (e, 2 * d), f"{at}.b_q": (d,), f"{at}.b_kv": (2 * d,),
                f"{at}.w_out": (d, d), f"{at}.b_out": (d,)}
    return {f"{at}.w_qkv": (d, 3 * d), f"{at}.b_qkv": (3 * d,), f"{at}.w_out": (d, d), f"{at}.b_out": (d,)}


def block_weights(at, d, hidden, norms, cross=False):
    out = attention_weights(f"{at}.attention", d)
    out |= attention_weights(f"{at}.cross", d, True) if cross else {}
    out |= {f"{at}.feed.dense_1.w": (d, hidden), f"{at}.feed.dense_1.b": (hidden,),
            f"{at}.feed.dense_2.w": (hidden, d), f"{at}.feed.dense_2.b": (d,)}
    for i in range(1, norms + 1):
        out |= {f"{at}.layer_norm_{i}.scale": (d,), f"{at}.layer_norm_{i}.shift": (d,)}
    return out


def encoder(pre, causal):
    def twin(x, seen, p):
        layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, F.gelu, batch_first=True, norm_first=pre, dtype=torch.float64)
        run = loaded(layer, block(p, "encoder_block_1", 2, 8))
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=torch.float64) if causal else None
        return run(x, src_mask=mask, src_key_padding_mask=~seen)
    return twin


def decoder(pre):
    def twin(x, memory, seen, p):
        layer = nn.TransformerDecoderLayer(8, 2, 12, 0.0, F.relu, batch_first=True, norm_first=pre, dtype=torch.float64)
        run = loaded(layer, block(p, "decoder_block_1", 3, 8, cross=True))
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=torch.float64)
        return run(x, memory, tgt_mask=mask, memory_key_padding_mask=~seen)
    return twin


SEEN = np.array([[True, True, True, False, False], [True, True, True, True, True]])
ATTENTION = [
    Row("attention", "Attention(4)(x)", attention_twin(), {"x": (2, 5, 8)}, L + "Attention",
        weights={"attention_1.w_qkv": (8, 24), "attention_1.w_out": (8, 8)}),
    Row("attention causal rotary bias", "Attention(2, causal: true, rotary: true, bias: true)(x)",
        attention_twin(True, True, heads=2), {"x": (2, 5, 8)}, L + "Attention",
        weights=attention_weights("attention_1", 8)),
    Row("attention grouped", "Attention(4, causal: true, kv_heads: 2)(x)", attention_twin(True, kv=2),
        {"x": (2, 5, 8)}, L + "Attention", weights={"attention_1.w_qkv": (8, 16), "attention_1.w_out": (8, 8)}),
    Row("attention padded", "Attention(4)(x, seen)", lambda x, seen, p: attention_twin()(x, p, seen),
        {"x": (2, 5, 8), "seen": SEEN}, L + "Attention",
        weights={"attention_1.w_qkv": (8, 24), "attention_1.w_out": (8, 8)}),
    Row("attention as nn.MultiheadAttention", "Attention(2, bias: true)(x)",
        lambda x, p: loaded(nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64),
                            mha(p, "attention_1", 8))(x, x, x)[0],
        {"x": (2, 5, 8)}, L + "Attention", weights=attention_weights("attention_1", 8)),
    Row("cross attention", "CrossAttention(2, bias: true)(x, memory, seen)",
        lambda x, m, seen, p: loaded(
            nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64), mha(p, "cross_attention_1", 8, cross=True))(
                x, m, m, key_padding_mask=~seen)[0],
        {"x": (2, 3, 8), "memory": (2, 5, 8), "seen": SEEN}, L + "CrossAttention",
        weights=attention_weights("cross_attention_1", 8, True)),
    Row("encoder block", "EncoderBlock(2, 12, activation: gelu_exact)(x, seen)", encoder(True, False),
        {"x": (2, 5, 8), "seen": SEEN}, L + "EncoderBlock", weights=block_weights("encoder_block_1", 8, 12, 2)),
    Row("encoder block post-norm causal",
        "EncoderBlock(2, 12, activation: gelu_exact, pre_norm: false, causal: true)(x, seen)", encoder(False, True),
        {"x": (2, 5, 8), "seen": SEEN}, L + "EncoderBlock", weights=block_weights("encoder_block_1", 8, 12, 2)),
    Row("decoder block", "DecoderBlock(2, 12, activation: relu)(x, memory, seen)", decoder(True),
        {"x": (2, 3, 8), "memory": (2, 5, 8), "seen": SEEN}, L + "DecoderBlock",
        weights=block_weights("decoder_block_1", 8, 12, 3, True)),
    Row("decoder block post-norm", "DecoderBlock(2, 12, activation: relu, pre_norm: false)(x, memory, seen)",
        decoder(False), {"x": (2, 3, 8), "memory": (2, 5, 8), "seen": SEEN}, L + "DecoderBlock",
        weights=block_weights("decoder_block_1", 8, 12, 3, True)),
    Row("swiglu", "SwiGlu(6)(x)",
        lambda x, p: (F.silu(x @ p["swi_glu_1.gate"]) * (x @ p["swi_glu_1.w_in"])) @ p["swi_glu_1.w_out"],
        {"x": (2, 3, 4)}, L + "SwiGlu",
        weights={"swi_glu_1.gate": (4, 6), "swi_glu_1.w_in": (4, 6), "swi_glu_1.w_out": (6, 4)}),
    one("sinusoidal positions", "SinusoidalPositions()", sinusoidal, (2, 9, 6)),
    Row("learned positions", "LearnedPositions(9)(x)", lambda x, p: x + p["learned_positions_1.table"][:5],
        {"x": (2, 5, 4)}, L + "LearnedPositions", weights={"learned_positions_1.table": (9, 4)}),
]

# Each row of the table is read, since the sparse update leaves the others what they were.
EVERY = [[1, 5, 1, 3], [0, 2, 5, 4]]
OTHERS = [
    Row("dense", "Dense(3)(x)", lambda x, p: F.linear(x, p["dense_1.w"].T, p["dense_1.b"]), {"x": (4, 2, 5)}, L + "Dense",
        weights=biased("dense_1", (5, 3), (3,))),
    Row("bilinear", "Bilinear(4)(x, y)", lambda x, y, p: F.bilinear(x, y, p["bilinear_1.w"], p["bilinear_1.bias"]),
        {"x": (3, 5), "y": (3, 2)}, L + "Bilinear", weights={"bilinear_1.w": (4, 5, 2), "bilinear_1.bias": (4,)}),
    Row("embedding", "Embedding(6, 3)(ids)", lambda ids, p: F.embedding(ids, p["embedding_1.table"]),
        {"ids": EVERY}, L + "Embedding", weights={"embedding_1.table": (6, 3)}),
    Row("embedding pad", "Embedding(6, 3, pad: 1)(ids)",
        lambda ids, p: F.embedding(ids, p["embedding_1.table"]) * (ids != 1)[..., None],
        {"ids": EVERY}, L + "Embedding", weights={"embedding_1.table": (6, 3)}),
]



def recurrent(kind, at, twin_kind, gates, seen=False, both=False, backwards=False):
    """A net of PyTorch on our weights; where padding is told it gets packed sequences, whose last states it gives."""
    def parameters(p, at, end):
        out = {f"weight_ih_l0{end}": p[f"{at}.w"].T, f"weight_hh_l0{end}": p[f"{at}.u"].T, f"bias_ih_l0{end}": p[f"{at}.b"]}
        return out | {f"bias_hh_l0{end}": p.get(f"{at}.c", torch.zeros(gates * 4, dtype=torch.float64))}

    def twin(x, *more):
        p, lengths = more[-1], more[0].sum(1) if seen else None
        net = twin_kind(3, 4, batch_first=True, bidirectional=both, dtype=torch.float64)
        weights = parameters(p, f"{at}.forward", "") | parameters(p, f"{at}.backward", "_reverse") if both \
            else parameters(p, at, "")
        if seen:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        start = [s[None] for s in more[int(seen):-1]]
        ys, last = loaded(net, weights)(x.flip(1) if backwards else x, *([tuple(start) if len(start) > 1 else start[0]] if start else []))
        last = last if isinstance(last, tuple) else (last,)
        if seen or both:
            return torch.cat(list(last[0]), -1)
        return torch.cat([(ys.flip(1) if backwards else ys).reshape(-1)] + [s.reshape(-1) for s in last])
    return twin


def cell(at, gates, second=False):
    out = {f"{at}.w": (3, 4 * gates), f"{at}.u": (4, 4 * gates), f"{at}.b": (4 * gates,)}
    return out | ({f"{at}.c": (4 * gates,)} if second else {})


X, START = {"x": (2, 5, 3)}, {"h": (2, 4)}
RECURRENT = [
    Row(f"{kind.lower()}{more}",
        f"let r = {kind}(4, states: true{', backwards: true' if backwards else ''})(x{start})\n"
        "concat([reshape(r[i], [size(r[i])]) for i in 0..len(r)])",
        recurrent(kind, at, twin, gates, backwards=backwards), X | inputs, L + kind, weights=cell(at, gates, kind == "Gru"))
    for kind, at, twin, gates, inputs, start in (
        ("SimpleRnn", "simple_rnn_1", nn.RNN, 1, START, ", start: h"), ("Gru", "gru_1", nn.GRU, 3, START, ", start: h"),
        ("Lstm", "lstm_1", nn.LSTM, 4, START | {"m": (2, 4)}, ", start: h, memory: m"))
    for more, backwards in (("", False), (" backwards", True))
] + [
    Row(f"{kind.lower()} padded", f"{kind}(4)(x, seen)", recurrent(kind, at, twin, gates, seen=True),
        X | {"seen": SEEN}, L + kind, weights=cell(at, gates, kind == "Gru"))
    for kind, at, twin, gates in (("SimpleRnn", "simple_rnn_1", nn.RNN, 1), ("Gru", "gru_1", nn.GRU, 3),
                                  ("Lstm", "lstm_1", nn.LSTM, 4))
] + [
    Row("bidirectional gru padded", "Bidirectional(Gru, 4)(x, seen)",
        recurrent("Gru", "bidirectional_1", nn.GRU, 3, seen=True, both=True), X | {"seen": SEEN},
        (L + "Bidirectional", L + "Gru"),
        weights=cell("bidirectional_1.forward", 3, True) | cell("bidirectional_1.backward", 3, True)),
    Row("bidirectional lstm", "Bidirectional(Lstm, 4)(x)",
        recurrent("Lstm", "bidirectional_1", nn.LSTM, 4, both=True), X, (L + "Bidirectional", L + "Lstm"),
        weights=cell("bidirectional_1.forward", 4) | cell("bidirectional_1.backward", 4)),
]

ROWS = CONVOLUTIONS + POOLS + NORMS + ACTIVATIONS + ATTENTION + OTHERS + RECURRENT
