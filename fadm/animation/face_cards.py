"""One face's card: the face close up with its landmarks, DECA's mesh over it, and the measures as bars."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fadm.animation.face_lines import ACCENT, BLUE, DARK, GREEN, LIGHT, OVAL, draw_axes, draw_contours
from fadm.animation.seen_face import SeenFace
from fadm.attributes.deca_face import DecaFace
from fadm.attributes.mesh_picture import draw_mesh, draw_relief
from fadm.face.region import turn_points
from fadm.media.crop import copy_square, to_pixels, to_tensor

Pixels = NDArray[np.uint8]

BACKGROUND, FAINT, GREY = (24, 26, 31), (58, 62, 70), (150, 155, 165)
PAD, VIEW, TEXT = 10, 300, 290  # units: margins, side of a close-up, width of the column of measures
TITLE, ROW, FONT = 24, 21, 14  # units: heights of a title, of a row and of its letters
NAME_WIDTH, VALUE_WIDTH = 92, 52  # units
FULL_ANGLE, FULL_CONTROL = 45.0, 2.0  # where a bar ends: degrees, full movements


def draw_card(pixels: Pixels, face: SeenFace, unit: float) -> Image.Image:
    """Draw the card of a face.

    Args:
        pixels: The whole picture, uint8 (H, W, 3) RGB.
        face: The face.
        unit: Pixels of a unit of length.

    Returns:
        The card; all faces of a picture have cards of one size.
    """
    side, pad = round(VIEW * unit), round(PAD * unit)
    views = _draw_views(pixels, face, side, unit)
    width = pad + len(views) * (side + pad) + round(TEXT * unit)
    card = Image.new("RGB", (width, side + 2 * pad), BACKGROUND)
    for index, view in enumerate(views):
        card.paste(view, (pad + index * (side + pad), pad))
    _draw_measures(ImageDraw.Draw(card), face, width - round(TEXT * unit), pad, unit)
    return card


def _draw_views(pixels: Pixels, face: SeenFace, side: int, unit: float) -> list[Image.Image]:
    """Close-ups of the upright face: its landmarks, and what DECA knows of it."""
    close_up = np.ascontiguousarray(np.rot90(copy_square(pixels, face.crop, side), face.turns))
    views = [_draw_landmarks(close_up, face, unit)]
    if face.deca is not None and face.deca.mesh is not None:
        views.append(_draw_mesh(close_up, face.deca, unit))
    if face.deca is not None and face.deca.displacements is not None:
        views.append(_draw_wrinkles(face.deca, side, unit))
    return views


def _draw_landmarks(close_up: Pixels, face: SeenFace, unit: float) -> Image.Image:
    view = Image.fromarray(close_up)
    draw = ImageDraw.Draw(view)
    corner, side = np.array([face.crop.left, face.crop.top], np.float32), face.crop.side
    landmarks = turn_points(face.landmarks[:, :2] - corner, (side, side), face.turns)
    landmarks = (landmarks + 0.5) * np.float32(len(close_up) / side)
    draw_contours(draw, landmarks, unit, has_dots=True)
    draw_axes(draw, landmarks, face.attributes.head[0], unit)
    return view


def _draw_mesh(close_up: Pixels, face: DecaFace, unit: float) -> Image.Image:
    """DECA's mesh over the face, in the light that DECA sees, with FLAME's landmarks on it."""
    mesh = face.mesh
    assert mesh is not None
    frame = to_tensor(close_up)[0]
    drawn = draw_mesh(frame, mesh.vertices, mesh.projected, mesh.triangles, face.code.light[0])
    view = Image.fromarray(to_pixels(drawn[None]))
    draw = ImageDraw.Draw(view)
    if mesh.landmarks is not None:
        for x, y in ((mesh.landmarks[:, :2] + 1) / 2 * len(close_up)).tolist():
            for radius, colour in ((2.6 * unit, DARK), (1.6 * unit, OVAL)):
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
    _caption(draw, "DECA's mesh", unit)
    return view


def _draw_wrinkles(face: DecaFace, side: int, unit: float) -> Image.Image:
    """The displacements of DECA's detail branch, the skin laid flat as in FLAME's UV map."""
    assert face.displacements is not None
    relief = Image.fromarray(to_pixels(draw_relief(face.displacements[0])[None]))
    view = relief.resize((side, side), Image.Resampling.BICUBIC)
    _caption(ImageDraw.Draw(view), "DECA's wrinkles, laid flat", unit)
    return view


def _caption(draw: ImageDraw.ImageDraw, text: str, unit: float) -> None:
    font, edge = ImageFont.load_default(FONT * unit), max(1, round(1.5 * unit))
    draw.text((6 * unit, 4 * unit), text, fill=LIGHT, font=font, stroke_width=edge, stroke_fill=DARK)


def _draw_measures(draw: ImageDraw.ImageDraw, face: SeenFace, x: float, y: float, unit: float) -> None:
    """Number and size of a face, then a bar for each angle and each control."""
    width, height = (round(side) for side in face.size)
    note = "" if face.is_large_enough else ", too small"
    title, small = ImageFont.load_default(TITLE * 0.8 * unit), ImageFont.load_default(FONT * unit)
    draw.text((x, y), f"Face {face.number}", fill=ACCENT, font=title)
    right = x + (TEXT - PAD) * unit
    draw.text((right, y + 3 * unit), f"{width} x {height} pixels{note}", fill=GREY, font=small, anchor="ra")
    y += (TITLE + 4) * unit
    for name, angle in face.angles.items():
        _draw_bar(draw, (x, y), name, f"{angle:+z.0f}\N{DEGREE SIGN}", angle / FULL_ANGLE, BLUE, unit)
        y += ROW * unit
    y += ROW / 2 * unit
    for name, value in face.controls.items():
        _draw_bar(draw, (x, y), name.replace("_", " "), f"{value:+z.2f}", value / FULL_CONTROL, GREEN, unit)
        y += ROW * unit


def _draw_bar(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    name: str,
    value: str,
    share: float,
    colour: tuple[int, int, int],
    unit: float,
) -> None:
    """A row: name, bar from the middle to the share in [-1, 1] of its half, value."""
    x, y = place
    font, middle = ImageFont.load_default(FONT * unit), y + ROW / 2 * unit
    start, end = x + NAME_WIDTH * unit, x + (TEXT - PAD - VALUE_WIDTH) * unit
    center, half = (start + end) / 2, (end - start) / 2
    tip = center + half * min(max(share, -1), 1)
    draw.text((x, middle), name, fill=LIGHT, font=font, anchor="lm")
    draw.rectangle([start, middle - 4 * unit, end, middle + 4 * unit], fill=FAINT)
    draw.rectangle([min(center, tip), middle - 4 * unit, max(center, tip), middle + 4 * unit], fill=colour)
    draw.rectangle([center - unit / 2, middle - 7 * unit, center + unit / 2, middle + 7 * unit], fill=GREY)
    draw.text((end + VALUE_WIDTH * unit, middle), value, fill=LIGHT, font=font, anchor="rm")
