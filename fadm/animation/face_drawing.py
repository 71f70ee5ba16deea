"""An annotated picture: boxes, numbers, contours and the person's outline, and beside it a card for each face.

All is drawn at twice its size and then halved, so that lines are smooth. Lengths are in units: a unit is a pixel
where the picture's longer side is drawn at SMALLEST pixels.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fadm.animation.face_cards import BACKGROUND, draw_card
from fadm.animation.face_lines import ACCENT, DARK, LIGHT, draw_contours, draw_line
from fadm.animation.seen_face import SeenFace

Pixels = NDArray[np.uint8]
SMALLEST, LARGEST = 1024, 2048  # pixels of the picture's longer side as it is drawn
SMOOTH = 2
OUTLINE, OUTLINE_HALO = 1.2, 3.0  # units
SOFTNESS = 1.5  # pixels of the person's mask that are blurred, against ragged lines
FLAT = 1e-4  # slope of the mask below which there is no line
BOX_LINE = 1.6  # units
TAG_SIZES = (16.0, 40.0)  # units of a number's height


def draw_faces(pixels: Pixels, faces: list[SeenFace]) -> Pixels:
    """Draw what was measured of a picture's faces.

    Args:
        pixels: The picture, uint8 (H, W, 3) RGB.
        faces: Its faces.

    Returns:
        The picture, scaled so that its longer side has SMALLEST to LARGEST pixels, and a card for each face
        beside or below it, uint8 (H', W', 3).
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
    for face in faces:
        draw_contours(ImageDraw.Draw(picture), (face.landmarks[:, :2] + 0.5) * scale * SMOOTH, unit)
    for face in faces:  # boxes and numbers lie above all contours
        _mark(picture, face, scale * SMOOTH, unit)
    return picture


def _mark(picture: Image.Image, face: SeenFace, scale: float, unit: float) -> None:
    """A box around a face, and its number on a tag above the box, or inside it at the picture's upper edge."""
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = ((side + 0.5) * scale for side in face.box)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    draw_line(draw, corners, ACCENT, BOX_LINE * unit, is_closed=True)
    smallest, largest = (limit * unit for limit in TAG_SIZES)
    size = min(max((bottom - top) / 6, smallest), largest)
    font, text, pad = ImageFont.load_default(size), str(face.number), 3 * unit
    width, height = font.getlength(text) + 2 * pad, size + pad
    x = min(max(left, 0), picture.width - width)
    y = top - height if top >= height else max(top, 0)
    draw.rectangle([x, y, x + width, y + height], fill=ACCENT)
    draw.text((x + width / 2, y + height / 2), text, fill=DARK, font=font, anchor="mm")


def _outline_person(picture: Pixels, face: SeenFace, scale: float, unit: float) -> None:
    """Draw the line at which the probability of the person is one half into a picture (H, W, 3), in place."""
    region, height, width = face.region, *picture.shape[:2]
    columns, rows = (
        (max(0, math.ceil(start * scale)), min(length, math.floor((start + region.side) * scale)))
        for start, length in ((region.left, width), (region.top, height))
    )
    size = columns[1] - columns[0], rows[1] - rows[0]
    if min(size) < 2:  # less has no slope
        return
    factor = len(face.person) / region.side
    (left, right), (top, bottom) = (
        ((low / scale - start) * factor, (high / scale - start) * factor)
        for (low, high), start in ((columns, region.left), (rows, region.top))
    )
    mask = Image.fromarray((255 * face.person).astype(np.uint8)).filter(ImageFilter.GaussianBlur(SOFTNESS))
    box = (left, top, right, bottom)
    person = np.array(mask.convert("F").resize(size, Image.Resampling.BICUBIC, box=box)) / 255
    slope = np.maximum(np.hypot(*np.gradient(person)), FLAT)
    distance = np.abs(person - 0.5) / slope  # pixels to the line
    seen = picture[slice(*rows), slice(*columns)]
    for colour, thickness, opacity in ((DARK, OUTLINE_HALO, 0.6), (LIGHT, OUTLINE, 1.0)):
        share = opacity * np.clip(thickness * unit / 2 + 0.5 - distance, 0, 1)[..., None]
        seen[:] = np.rint(seen * (1 - share) + np.array(colour) * share).astype(np.uint8)


def _arrange(picture: Image.Image, cards: list[Image.Image]) -> Image.Image:
    """The picture with its cards on the right in columns, or below in rows, whichever sheet is less long."""
    if not cards:
        return picture
    width, height, count = cards[0].width, cards[0].height, len(cards)
    rows = min(count, max(1, picture.height // height))
    columns = min(count, max(1, picture.width // width))
    places = [
        ((picture.width, 0), math.ceil(count / rows), rows),
        ((0, picture.height), columns, math.ceil(count / columns)),
    ]
    sizes = [
        (max(picture.width, x + across * width), max(picture.height, y + down * height))
        for (x, y), across, down in places
    ]
    size, ((x, y), across, _) = min(zip(sizes, places, strict=True), key=lambda choice: max(choice[0]))
    sheet = Image.new("RGB", size, BACKGROUND)
    sheet.paste(picture, (0, 0))
    for index, card in enumerate(cards):
        row, column = divmod(index, across)
        sheet.paste(card, (x + column * width, y + row * height))
    return sheet
