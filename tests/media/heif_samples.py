"""HEIC stills (ISO/IEC 23008-12) for the tests, made of HEVC pictures that PyAV encodes."""

import struct
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from tests.media.hdr_samples import PQ, to_bt2100


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def full_box(kind: bytes, *contents: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *contents)


def make_heic(
    path: Path, pixels: np.ndarray, *, turns: int | None = None, num_tiles: int = 1, hdr: bool = False
) -> Path:
    """Write BT.709 pixels, in PQ if HDR: turned counterclockwise by irot, or in tiles beside each other."""
    tiles = np.split(pixels, num_tiles, axis=1)
    coded = [encode_tile(path.with_suffix(f".{number}.mkv"), tile, hdr) for number, tile in enumerate(tiles)]
    height, width = tiles[0].shape[:2]
    colours = (9, 16, 9, 0) if hdr else (1, 13, 1, 0)
    properties = [
        coded[0][0],
        full_box(b"ispe", struct.pack(">II", width, height)),
        box(b"colr", b"nclx", struct.pack(">HHHB", *colours)),
        full_box(b"pixi", bytes([3, *[10 if hdr else 8] * 3])),
        full_box(b"ispe", struct.pack(">II", pixels.shape[1], height)),
    ]
    is_grid = num_tiles > 1
    if turns is not None:
        properties.append(box(b"irot", bytes([turns])))
    whole = [3, 4, 5] if is_grid else [0x81, 2, 3, 4]
    whole += [0x86] if turns is not None else []
    items = [(1, b"grid" if is_grid else b"hvc1", whole)]
    items += [(number, b"hvc1", [0x81, 2, 3, 4]) for number in range(2, 2 + num_tiles) if is_grid]
    grid = bytes([0, 0, 0, num_tiles - 1]) + struct.pack(">HH", pixels.shape[1], height)
    contents = ([grid] if is_grid else []) + [data for _, data in coded]
    start = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    meta = b""
    for _ in range(2):  # the first time to learn how long it is
        offset = len(start) + len(meta) + 8
        places = b""
        for (number, _, _), content in zip(items, contents, strict=True):
            places += struct.pack(">HHHII", number, 0, 1, offset, len(content))
            offset += len(content)
        references = struct.pack(">HH", 1, num_tiles) + b"".join(struct.pack(">H", n) for n, _, _ in items[1:])
        meta = full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", struct.pack(">H", 1)),
            full_box(b"iloc", b"\x44\x00", struct.pack(">H", len(items)), places),
            full_box(
                b"iinf",
                struct.pack(">H", len(items)),
                *(full_box(b"infe", struct.pack(">HH4sB", n, 0, kind, 0), version=2) for n, kind, _ in items),
            ),
            full_box(b"iref", box(b"dimg", references)) if is_grid else b"",
            box(
                b"iprp",
                box(b"ipco", *properties),
                full_box(
                    b"ipma",
                    struct.pack(">I", len(items)),
                    *(struct.pack(">HB", n, len(those)) + bytes(those) for n, _, those in items),
                ),
            ),
        )
    path.write_bytes(start + meta + box(b"mdat", *contents))
    return path


def encode_tile(path: Path, pixels: np.ndarray, hdr: bool) -> tuple[bytes, bytes]:
    """Encode one picture; return the box of the decoder's configuration and the coded picture."""
    height, width = pixels.shape[:2]
    pixel_format = "yuv420p10le" if hdr else "yuv420p"
    options = {"crf": "4", "x265-params": "log-level=none"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream(
            "libx265", rate=25, width=width, height=height, pix_fmt=pixel_format, options=options
        )
        context = stream.codec_context
        context.colorspace, context.color_range = (9 if hdr else 1), 1
        if hdr:
            context.color_primaries, context.color_trc = 9, PQ
            codes = np.rint(to_bt2100(pixels, PQ) * 65535).astype(np.uint16)
            frame = VideoFrame.from_ndarray(codes, format="rgb48le")
        else:
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(format=pixel_format, dst_colorspace=9 if hdr else 1, dst_color_range=1)
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with av.open(str(path)) as container:
        configuration = bytes(container.streams.video[0].codec_context.extradata)
        coded = bytes(next(container.demux(video=0)))
    path.unlink()
    return box(b"hvcC", configuration), coded
