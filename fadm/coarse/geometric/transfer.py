"""Transfer the driver's change of pose and expression to the source's landmarks."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel, pose_landmarks
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.coarse.geometric.expressions import ExpressionSolver
from fadm.coarse.geometric.mouth import JAW_OPEN, carry_opening, jaw_displacement
from fadm.face import topology
from fadm.options import Gains

LARGEST_SHIFT = 0.7  # of the distance between the head's outline and where nothing moves
SIZE_RANGE = (0.75, 1.3)  # change of the head's size in the picture
CLOSED, HALF_OPEN = 0.24, 0.5  # tracked openings, of the neutral face's: of closed eyes, and from which they are exact
SEEN_SHARE = 0.75  # of a movement, which a tracker sees in a warped picture of another person
WIDEST = 1.4  # greatest opening of an eye, of the neutral face's


class MotionTransfer:
    """Moves one source's landmarks by a driver's attributes."""

    def __init__(
        self,
        model: LandmarkModel,
        source: FittedFace,
        solver: ExpressionSolver,
        gains: Gains,
        driver_identity: Tensor,
        reach: float | None,
    ):
        """Compute what depends only on the source and on the driver's identity.

        Args:
            model: The face model.
            source: The source's fitted face.
            solver: Corrects the source's expressions.
            gains: Factors of the parts of the motion.
            driver_identity: The driver's identity coefficients (1, I).
            reach: Distance in pixels between the head's outline and the fixed surroundings, which limits the head's
                motion; None does not limit it: the source is a frame of the driver's clip.
        """
        self.model, self.source, self.solver, self.gains, self.reach = model, source, solver, gains, reach
        self.driver_neutral = model.shape(driver_identity)
        self.source_neutral = model.shape(source.identity)
        self.mouth_scale = (_mouth_width(self.source_neutral) / _mouth_width(self.driver_neutral)).clamp(0.6, 1.6)
        self.eye_scale = _eye_widths(self.source_neutral) / _eye_widths(self.driver_neutral)
        self.mouth_share, self.brow_share = region_shares(model.mean)
        self.jaw_opening = jaw_displacement(model)

    def move(
        self,
        driving: FaceAttributes,
        anchor: FaceAttributes | None,
        blendshapes: Tensor,
        anchor_blendshapes: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Move the source's landmarks by the driver's change from its anchor.

        The change of the landmarks is transferred first, and then corrected until the source's blendshape coefficients
        change as the driver's do: faces of other proportions show the same expression by other displacements.

        Args:
            driving: The driver's attributes (B).
            anchor: The driver's attributes (1) from which its motion is measured; None for absolute motion, which
                takes its expression and head rotation as they are.
            blendshapes: The driver's coefficients (B, 52).
            anchor_blendshapes: Its coefficients (1, 52) in the anchor frame; None for the source's own, to which an
                absolute motion and a source of the driver's clip are compared.

        Returns:
            New landmarks (B, 478, 3), and the source's landmarks moved by the head alone (B, 478, 3), both in the
            source's pixels.
        """
        source, gains, full = self.source, self.gains, Gains()
        reference = source.attributes if anchor is None else anchor
        head, camera = self._move_head(driving, reference, anchor is None)
        posed = FaceAttributes(driving.expression, torch.cat([head, driving.jaw], 1), camera, driving.gaze)
        rest = self.solver.rest
        driver_rest = rest if anchor_blendshapes is None else anchor_blendshapes
        wanted = rest + blendshapes - driver_rest
        jaw_open = carry_opening(*(part[:, JAW_OPEN] for part in (rest, blendshapes, driver_rest)))
        widening = (jaw_open - wanted[:, JAW_OPEN])[:, None, None] * self.jaw_opening
        wanted[:, JAW_OPEN] = jaw_open
        guess = self._transfer_change(driving, anchor, widening, full)
        seen = 1.0 if self.reach is None else SEEN_SHARE
        correction = self.solver.correct(guess, posed, wanted, seen)
        shape = guess if gains == full else self._transfer_change(driving, anchor, widening, gains)
        shape = _part_lips(_meet_lids(shape + self._factors(gains) * correction))
        return pose_landmarks(shape, posed), pose_landmarks(source.canonical, posed)

    def _transfer_change(
        self, driving: FaceAttributes, anchor: FaceAttributes | None, widening: Tensor, gains: Gains
    ) -> Tensor:
        """Move the source's face (B, 478, 3) by the change of the driver's landmarks, scaled to its proportions.

        `widening` (B, 478, 3) is how the jaw opens farther than the driver's.
        """
        reference = self.source.attributes if anchor is None else anchor
        rest = self.model.displacement(reference.expression, reference.jaw)
        motion = self.model.displacement(driving.expression, driving.jaw) - rest
        share = gains.mouth_gain * self.mouth_scale * self.mouth_share + gains.brows_gain * self.brow_share
        share = share + gains.eyes_gain * (1 - self.mouth_share - self.brow_share)
        shape = self.source.canonical + share[:, None] * motion + gains.mouth_gain * widening
        driver_rest = None if anchor is None else self.driver_neutral + rest
        shape = self._open_lids(shape, self.driver_neutral + rest + motion, driver_rest, gains.eyes_gain)
        own_neutral = self.source_neutral if anchor is None else self.driver_neutral
        gaze = _seen_gaze(driving.gaze, self.driver_neutral + rest + motion, self.driver_neutral)
        gaze = gaze - _seen_gaze(reference.gaze, own_neutral + rest, own_neutral)
        return self._turn_irises(_part_lips(shape), gains.gaze_gain * self.eye_scale * gaze)

    def _factors(self, gains: Gains) -> Tensor:
        """Gain of each landmark's correction (478, 1)."""
        mouth, brows = self.mouth_share, self.brow_share
        factors = gains.mouth_gain * mouth + gains.brows_gain * brows + gains.eyes_gain * (1 - mouth - brows)
        for _, _, iris in topology.EYES:
            factors[list(iris)] = gains.gaze_gain
        return factors[:, None]

    def _move_head(
        self, driving: FaceAttributes, reference: FaceAttributes, is_absolute: bool
    ) -> tuple[Tensor, Tensor]:
        """Compute the source's new head rotation (B, 3) and camera (B, 3).

        The driver's turn from its anchor is applied in the head's own frame: R_source (R_anchor^T R_driving).
        """
        own = self.source.attributes
        turn = axis_angle_to_matrix(reference.head).transpose(1, 2) @ axis_angle_to_matrix(driving.head)
        turn = axis_angle_to_matrix(self.gains.rotation_gain * matrix_to_axis_angle(turn))
        head = matrix_to_axis_angle(axis_angle_to_matrix(own.head) @ turn)
        if is_absolute:  # places and sizes mean something in a shared picture only: the head stays where it is
            return head, own.camera.expand(len(driving), -1)
        gain = self.gains.translation_gain
        size = (driving.camera[:, :1] / reference.camera[:, :1]) ** gain
        shift = gain * (driving.camera[:, 1:] - reference.camera[:, 1:]) / reference.camera[:, :1]
        shift = shift * own.camera[:, :1]
        if self.reach is not None:
            size, shift = _limit_size(size), _limit_length(shift, LARGEST_SHIFT * self.reach)
        return head, torch.cat([own.camera[:, :1] * size, own.camera[:, 1:] + shift], 1)

    def _open_lids(self, shape: Tensor, driver: Tensor, driver_rest: Tensor | None, gain: float) -> Tensor:
        """Change each eye's opening by the driver's relative one, so that a blink closes eyes of any size.

        `driver_rest` is the driver's face in its anchor frame, None for absolute motion.
        """
        shape = shape.clone()
        for upper, lower, _ in topology.EYES:
            inner_upper, inner_lower = list(upper[1:-1]), list(lower[1:-1])
            usual = _opening(self.driver_neutral, inner_upper, inner_lower)
            opening = _calibrate(_opening(driver, inner_upper, inner_lower), usual)
            own = _opening(self.source.canonical, inner_upper, inner_lower).clamp(min=0)
            if driver_rest is None:
                rest = usual * own / _opening(self.source_neutral, inner_upper, inner_lower)
            else:
                rest = _calibrate(_opening(driver_rest, inner_upper, inner_lower), usual)
            rest = torch.maximum(rest, 0.5 * usual)
            own_usual = _opening(self.source_neutral, inner_upper, inner_lower)
            change = opening - rest
            change = change * torch.where(change < 0, own / rest, (own_usual / usual) * (own / own_usual).clamp(max=1))
            wanted = (own + gain * change).clamp(min=0)
            wanted = torch.minimum(wanted, torch.maximum(own, WIDEST * own_usual))
            lids = shape[:, inner_upper] - shape[:, inner_lower]
            lids[..., 1].clamp_(max=0)  # they meet and do not cross
            present = -lids[..., 1].mean(1)
            profile = self.source_neutral[:, inner_upper] - self.source_neutral[:, inner_lower]  # of an open eye
            profile = profile * ((wanted - present).clamp(min=0) / own_usual)[:, None, None]
            closing = (wanted / present.clamp(min=1e-6)).clamp(0, 1)[:, None, None]
            shape[:, inner_upper] = shape[:, inner_lower] + closing * lids + profile
        return shape

    def _turn_irises(self, shape: Tensor, gaze: Tensor) -> Tensor:
        """Place both irises in a face (B, 478, 3): between the corners of the eyes as in the source, moved by gaze."""
        shape = shape.clone()
        for (upper, _, iris), shift in zip(topology.EYES, gaze.split(2, dim=1), strict=True):
            corners = [upper[0], upper[-1]]
            moved = (shape - self.source.canonical)[:, corners].mean(1) + F.pad(shift, (0, 1))
            shape[:, list(iris)] = self.source.canonical[:, list(iris)] + moved[:, None]
        return shape


def region_shares(mean: Tensor) -> tuple[Tensor, Tensor]:
    """Compute to which share each landmark belongs to the mouth with the jaw, and to the brows.

    Args:
        mean: Mean face of the model (478, 3).

    Returns:
        Shares of the mouth and of the brows, (478,) each in [0, 1].
    """
    mouth_centre = mean[list(topology.MOUTH_CORNERS)].mean(0)
    nose_to_mouth = mouth_centre[1] - mean[topology.NOSE_TIP, 1]
    mouth = torch.sigmoid(8 * (mean[:, 1] - mean[topology.NOSE_TIP, 1] - 0.4 * nose_to_mouth) / nose_to_mouth)
    eye_line = mean[[topology.UPPER_LID_RIGHT[0], topology.UPPER_LID_LEFT[0]], 1].mean()
    brow_line = mean[list(topology.BROW_RIGHT + topology.BROW_LEFT), 1].mean()
    height = eye_line - brow_line
    brows = torch.sigmoid(8 * (eye_line - 0.6 * height - mean[:, 1]) / height)
    return mouth, brows


def _limit_length(vectors: Tensor, limit: float) -> Tensor:
    """Shorten vectors (B, 2) smoothly to a limit; vectors up to half of it are unchanged."""
    length = vectors.norm(dim=1, keepdim=True).clamp(min=1e-8)
    half = limit / 2
    shortened = half + half * torch.tanh((length - half) / half)
    return vectors * torch.where(length > half, shortened / length, 1.0)


def _limit_size(sizes: Tensor) -> Tensor:
    """Bring factors of size (B, 1) smoothly into SIZE_RANGE; those up to half of the way to a limit are unchanged."""
    logs = sizes.log()
    limit = torch.where(logs < 0, -math.log(SIZE_RANGE[0]), math.log(SIZE_RANGE[1]))
    half = limit / 2
    shortened = half + half * torch.tanh((logs.abs() - half) / half)
    return torch.where(logs.abs() > half, logs.sign() * shortened, logs).exp()


def _eye_widths(shape: Tensor) -> Tensor:
    """Widths of the right and the left eye, once for each number of the gaze (B, 4)."""
    widths = [(shape[:, upper[0]] - shape[:, upper[-1]]).norm(dim=-1) for upper, _, _ in topology.EYES]
    return torch.stack(widths, 1).repeat_interleave(2, 1)


def _mouth_width(shape: Tensor) -> Tensor:
    return (shape[:, topology.MOUTH_CORNERS[0]] - shape[:, topology.MOUTH_CORNERS[1]]).norm(dim=-1)


def _opening(shape: Tensor, upper: list[int], lower: list[int]) -> Tensor:
    """Mean height of an eye's opening (B,)."""
    return (shape[:, lower, 1] - shape[:, upper, 1]).mean(1)


def _calibrate(opening: Tensor, usual: Tensor) -> Tensor:
    """Correct an eye's tracked opening (B,): landmarks of closed lids do not quite meet."""
    slope = HALF_OPEN / (HALF_OPEN - CLOSED)
    return torch.minimum(opening, slope * (opening - CLOSED * usual)).clamp(min=0)


def _seen_gaze(gaze: Tensor, face: Tensor, neutral: Tensor) -> Tensor:
    """Gaze (B, 4) of a face (B, 478, 3), less the more its eyes close: irises behind lids are only guessed."""
    shares = []
    for upper, lower, _ in topology.EYES:
        inner_upper, inner_lower = list(upper[1:-1]), list(lower[1:-1])
        opening = _opening(face, inner_upper, inner_lower) / _opening(neutral, inner_upper, inner_lower)
        shares.append(((opening - CLOSED) / (HALF_OPEN - CLOSED)).clamp(0, 1))
    return gaze * torch.stack(shares, 1).repeat_interleave(2, 1)


def _meet_lids(shape: Tensor) -> Tensor:
    """Let the upper lid meet the lower one where it would cross it."""
    shape = shape.clone()
    for upper, lower, _ in topology.EYES:
        inner_upper, inner_lower = list(upper[1:-1]), list(lower[1:-1])
        shape[:, inner_upper, 1] = torch.minimum(shape[:, inner_upper, 1], shape[:, inner_lower, 1])
    return shape


def _part_lips(shape: Tensor) -> Tensor:
    """Let the inner lips meet in the middle where they would cross."""
    upper, lower = list(topology.INNER_UPPER_LIP[1:-1]), list(topology.INNER_LOWER_LIP[1:-1])
    overlap = (shape[:, upper, 1] - shape[:, lower, 1]).clamp(min=0) / 2
    shape = shape.clone()
    shape[:, upper, 1] -= overlap
    shape[:, lower, 1] += overlap
    return shape
