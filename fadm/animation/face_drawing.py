"""An annotated picture: boxes, numbers, contours and the person's outline, and beside it a card for each face.

All is drawn at twice its size and then halved, so that lines are smooth. Lengths are in units: a unit is a pixel
where the picture's longer side is drawn at SMALLEST pixels.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fadm.animation.face_cards import BACKGROUND, draw_card
from fadm.animation.face_lines import ACCENT, DARK, LIGHT, draw_contours, draw_line
from fadm.animation.seen_face import SeenFace
from fadm.media.crop import Square

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

SMALLEST, LARGEST = 1024, 2048  # pixels of the picture's longer side as it is drawn
SMOOTH = 2
OUTLINE, OUTLINE_HALO = 1.2, 3.0  # units
BOX_LINE = 1.6  # units
TAG_SIZES = (16.0, 40.0)  # units of a number's height


def draw_faces(pixels: Pixels, faces: list[SeenFace]) -> Pixels:
    """Draw what was measured of a picture's faces.

    Args:
        pixels: The picture, uint8 (H, W, 3) RGB.
        faces: Its faces.

    Returns:
        The picture, scaled so that its longer side has SMALLEST to LARGEST pixels, and the cards on its right,
        uint8 (H', W', 3).
    """
    longer = max(pixels.shape[:2])
    drawn = min(max(longer, SMALLEST), LARGEST)
    unit = SMOOTH * drawn / SMALLEST
    picture = _draw_picture(pixels, faces, drawn / longer, unit)
    cards = [draw_card(pixels, face, unit) for face in faces]
    return np.array(_arrange(picture, cards).reduce(SMOOTH))


def _draw_picture(pixels: Pixels, faces: list[SeenFace], scale: float, unit: float) -> Image.Image:
    """The picture in its drawn size, times SMOOTH, with every face marked in it."""
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    small = np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
    for face in faces:
        _outline_person(small, face, scale, unit / SMOOTH)
    picture = Image.fromarray(small).resize((width * SMOOTH, height * SMOOTH), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    for face in faces:
        draw_contours(draw, (face.landmarks[:, :2] + 0.5) * scale * SMOOTH, unit)
    for face in faces:  # boxes and numbers lie above all contours
        _mark(draw, face, scale * SMOOTH, unit)
    return picture


def _mark(draw: ImageDraw.ImageDraw, face: SeenFace, scale: float, unit: float) -> None:
    """A box around a face, and its number on a tag above the box, or inside it at the picture's upper edge."""
    left, top, right, bottom = ((side + 0.5) * scale for side in face.box)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    draw_line(draw, corners, ACCENT, BOX_LINE * unit, is_closed=True)
    smallest, largest = (size * unit for size in TAG_SIZES)
    font = ImageFont.load_default(min(max((bottom - top) / 6, smallest), largest))
    text, pad = str(face.number), 3 * unit
    width, height = font.getlength(text) + 2 * pad, font.size + pad
    x = min(max(left, 0), draw.im.size[0] - width)
    y = top - height if top >= height else max(top, 0)
    draw.rectangle([x, y, x + width, y + height], fill=ACCENT)
    draw.text((x + width / 2, y + height / 2), text, fill=DARK, font=font, anchor="mm")


def _outline_person(picture: Pixels, face: SeenFace, scale: float, unit: float) -> None:
    """Draw the line at which the probability of the person is one half into a picture (H, W, 3), in place."""
    height, width = picture.shape[:2]
    left, top, side = face.region.left * scale, face.region.top * scale, face.region.side * scale
    columns = max(0, math.floor(left)), min(width, math.ceil(left + side))
    rows = max(0, math.floor(top)), min(height, math.ceil(top + side))
    inner = _within(face.region, (columns[0] / scale, rows[0] / scale, columns[1] / scale, rows[1] / scale))
    size = columns[1] - columns[0], rows[1] - rows[0]
    if min(size) < 2:
        return
    person = np.array(Image.fromarray(face.person).resize(size, Image.Resampling.BICUBIC, box=inner))
    slope = np.maximum(np.hypot(*np.gradient(person)), 1e-4)
    distance = np.abs(person - 0.5) / slope  # pixels to the line
    seen = picture[rows[0] : rows[1], columns[0] : columns[1]]
    for colour, thickness, opacity in ((DARK, OUTLINE_HALO, 0.6), (LIGHT, OUTLINE, 1.0)):
        share = opacity * np.clip(thickness * unit / 2 + 0.5 - distance, 0, 1)[..., None]
        seen[:] = np.rint(seen * (1 - share) + np.array(colour) * share).astype(np.uint8)


def _within(region: Square, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box of the picture in the pixels of the person's mask of a region."""
    factor = 256 / region.side
    left, top, right, bottom = box
    corner = (max(0.0, (left - region.left) * factor), max(0.0, (top - region.top) * factor))
    return (*corner, min(256.0, (right - region.left) * factor), min(256.0, (bottom - region.top) * factor))


def _arrange(picture: Image.Image, cards: list[Image.Image]) -> Image.Image:
    """The picture, and on its right as many columns of cards as its height makes necessary."""
    width, height = cards[0].width, max(card.height for card in cards)
    per_column = max(1, picture.height // height)
    columns = math.ceil(len(cards) / per_column)
    rows = min(len(cards), per_column)
    sheet = Image.new("RGB", (picture.width + columns * width, max(picture.height, rows * height)), BACKGROUND)
    sheet.paste(picture, (0, 0))
    for index, card in enumerate(cards):
        column, row = divmod(index, per_column)
        sheet.paste(card, (picture.width + column * width, row * height))
    return sheet
