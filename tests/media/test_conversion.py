import io

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image

from fadm.media.conversion import convert_frame
from fadm.media.reader import open_frames
from tests.media.samples import make_video, pattern


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_metadata(tmp_path, degrees, mirrored):
    path = make_video(tmp_path / "a.mp4", num_frames=1, turned={"degrees": degrees, "hflip": mirrored})
    source = open_frames(path)
    # The encoder's mirroring comes after its turn, which is counterclockwise.
    expected = np.rot90(pattern(0), degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    pixels = next(iter(source)).pixels
    assert (source.height, source.width) == expected.shape[:2]
    assert np.abs(pixels.astype(float) - expected).mean() < 4


def test_turn_beside_side_data_that_pyav_does_not_know(tmp_path):
    """A JPEG's EXIF, of which FFmpeg makes a display matrix."""
    exif, jpeg = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(pattern(0)).save(jpeg, "JPEG", exif=exif, quality=95)
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream("mjpeg", rate=25, width=64, height=48, pix_fmt="yuvj420p")
        frame = VideoFrame.from_ndarray(pattern(0), format="rgb24").reformat(format="yuvj420p")
        frame.pts = 0
        encoded, *_ = [*stream.encode(frame), *stream.encode(None)]
        packet = av.Packet(jpeg.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, encoded.time_base
        output.mux(packet)
    pixels = next(iter(open_frames(tmp_path / "a.mkv"))).pixels
    assert pixels.shape == (64, 48, 3)
    assert np.abs(pixels.astype(float) - np.rot90(pattern(0), -1)).mean() < 2


def luma_and_chroma(rgb, kr: float, kb: float, full: bool) -> list[int]:
    """ITU-T H.273, equations 38 to 46."""
    r, g, b = np.array(rgb) / 255
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
    scale = (255, 0, 255) if full else (219, 16, 224)
    return [round(scale[0] * y + scale[1]), round(128 + scale[2] * cb), round(128 + scale[2] * cr)]


@pytest.mark.parametrize(("matrix", "kr", "kb"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114), (2, 0.299, 0.114)])
@pytest.mark.parametrize("full", [False, True])
def test_matrix_and_range_are_respected(tmp_path, matrix, kr, kb, full):
    rgb = (200, 30, 60)
    frame = VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, luma_and_chroma(rgb, kr, kb, full), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.pts = 0
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream("ffv1", rate=25, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    pixels = next(iter(open_frames(tmp_path / "a.mkv"))).pixels
    assert np.abs(pixels.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize(("height", "kr", "kb"), [(48, 0.299, 0.114), (720, 0.2126, 0.0722)])
@pytest.mark.parametrize("matrix", [2, 3])
def test_untagged_and_reserved_matrices_go_by_the_height(matrix, height, kr, kb):
    rgb = (200, 30, 60)
    frame = VideoFrame(64, height, "yuv420p")
    for plane, value in zip(frame.planes, luma_and_chroma(rgb, kr, kb, full=False), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.colorspace = matrix
    pixels = convert_frame(frame, (64, height), VideoReformatter())
    assert np.abs(pixels.astype(int) - rgb).max() <= 2
